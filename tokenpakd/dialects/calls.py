"""Which call a tool result answers, and what to call it: the tool's name and the argument that says most."""

import re
from collections import OrderedDict

import msgspec

from tokenpakd.dialects import instructions
from tokenpakd.dialects.canonical import NOTHING, is_list, is_text
from tokenpakd.exchange.request import Call

LABEL_CHARS = 60
_READ_BYTES = 4_096
_SHORTEST_LABEL = 2


class _Arguments(msgspec.Struct, gc=False):
    """The arguments that say what a call is about, most telling first."""

    command: msgspec.Raw = NOTHING
    cmd: msgspec.Raw = NOTHING
    file_path: msgspec.Raw = NOTHING
    file_path_camel: msgspec.Raw = msgspec.field(default=NOTHING, name="filePath")
    absolute_path: msgspec.Raw = NOTHING
    target_file: msgspec.Raw = NOTHING
    filename: msgspec.Raw = NOTHING
    pattern: msgspec.Raw = NOTHING
    query: msgspec.Raw = NOTHING
    path: msgspec.Raw = NOTHING
    url: msgspec.Raw = NOTHING


class _Words(msgspec.Struct, gc=False):
    """The same where they are plain text or null, as nearly always."""

    command: str | None = None
    cmd: str | None = None
    file_path: str | None = None
    file_path_camel: str | None = msgspec.field(default=None, name="filePath")
    absolute_path: str | None = None
    target_file: str | None = None
    filename: str | None = None
    pattern: str | None = None
    query: str | None = None
    path: str | None = None
    url: str | None = None


_ARGUMENTS = msgspec.json.Decoder(_Arguments)
_PLAIN = msgspec.json.Decoder(_Words)
_TEXT = msgspec.json.Decoder(str)
_WORDS = msgspec.json.Decoder(list[str])
_FOLDER = re.compile(r"[/\\]")
_EDITOR_COMMANDS = frozenset(("view", "create", "str_replace", "insert", "undo_edit", "read", "write", "edit", "open"))


def described(arguments: msgspec.Raw) -> tuple[str, bool]:
    """Return a label, and whether the call reads a protected file.

    The label is at most 60 characters that name a call: its main argument, else all of them, blanks collapsed; empty
    when there is nothing worth quoting. Of a long path its end is kept. `arguments` is an object, or a string that
    holds one, or free text.
    """
    try:
        told, place = _words(arguments)
        words = " ".join(told[:_READ_BYTES].split())
    except (ValueError, RecursionError):
        return "", False
    is_protected = instructions.are_named(words) or (place != told and instructions.are_named(place[:_READ_BYTES]))
    return _cut_path(words) if place == told else _cut(words), is_protected


def _words(arguments: msgspec.Raw) -> tuple[str, str]:
    """Return what says most, and the path that it is or that is given beside it."""
    first = memoryview(arguments)[0]
    if first == 0x7B:
        return _telling(arguments)
    if first != 0x22:
        return "", ""
    inner = _TEXT.decode(arguments)
    if not inner.lstrip().startswith("{"):
        return inner, ""
    try:
        return _telling(inner)
    except ValueError:  # free text that happens to begin with a brace
        return inner, ""


def _telling(arguments: msgspec.Raw | str) -> tuple[str, str]:
    try:
        said = _PLAIN.decode(arguments)
    except ValueError:
        return _looked_through(arguments)
    file = said.file_path or said.file_path_camel or said.absolute_path or said.target_file or said.filename
    place = file or said.path or ""
    command = said.command or said.cmd
    # `view` beside a path is what an editing tool does with it; who runs a command there says more than a word.
    if command and not (place and command in _EDITOR_COMMANDS):
        return command, place
    return file or said.pattern or said.query or place or said.url or _all_of(arguments), place


def _looked_through(arguments: msgspec.Raw | str) -> tuple[str, str]:
    values = (_value(raw) for raw in msgspec.structs.astuple(_ARGUMENTS.decode(arguments)) if raw is not NOTHING)
    told = [value for value in values if value]
    return (told[0], " ".join(told[1:])) if told else (_all_of(arguments), "")


def _all_of(arguments: msgspec.Raw | str) -> str:
    return _compact(arguments.encode() if isinstance(arguments, str) else bytes(arguments))


def _value(raw: msgspec.Raw) -> str:
    if is_text(raw):
        return _TEXT.decode(raw)
    if is_list(raw):
        try:
            return " ".join(_WORDS.decode(raw))
        except ValueError:
            return _compact(bytes(raw))
    whole = bytes(raw)
    return "" if whole == b"null" else _compact(whole)


def _compact(whole: bytes) -> str:
    if len(whole) > _READ_BYTES:
        return whole[:_READ_BYTES].decode("utf-8", "ignore")
    packed: bytes = msgspec.json.format(whole, indent=-1)
    return "" if packed == b"{}" else packed.decode("utf-8", "ignore")


def _cut(words: str) -> str:
    if len(words) < _SHORTEST_LABEL:
        return ""
    return words if len(words) <= LABEL_CHARS else words[: LABEL_CHARS - 1] + "…"


def _cut_path(words: str) -> str:
    """Return a path by its end: which file it is says more than whose folders it lies in."""
    folder = _FOLDER.search(words, len(words) - LABEL_CHARS + 1) if len(words) > LABEL_CHARS else None
    return _cut(words) if folder is None else "…" + words[folder.start() :]


class CallBook:
    """The calls of one request so far, in order. Answers depend only on what was added before."""

    def __init__(self) -> None:
        self._by_id: dict[str, Call] = {}
        self._times: dict[tuple[str, str], int] = {}
        self._turn: _Unanswered | None = None

    def add(self, call_id: str | None, name: str, arguments: msgspec.Raw) -> Call | None:
        """Note a call and return it. One without a name cannot be pointed at and only takes its id out of use."""
        if not name:
            self._by_id.pop(call_id or "", None)
            return None
        label, is_protected = described(arguments)
        times = self._times
        # A call without a label is named by its tool alone, so it is counted among all calls of that tool.
        key = name, ""
        ordinal = times[key] = times.get(key, 0) + 1
        if label:
            key = name, label
            ordinal = times[key] = times.get(key, 0) + 1
        call = Call(name, label, ordinal, is_protected)
        if self._turn is not None:
            self._turn.add(call)
        if call_id:
            self._by_id[call_id] = call
        return call

    def by_id(self, call_id: str | None) -> Call | None:
        """Return the latest call with that id."""
        return self._by_id.get(call_id) if call_id else None

    def begin_turn(self) -> None:
        """Forget calls nobody answered: what follows answers this turn's calls. Without it no order is kept."""
        self._turn = _Unanswered()

    def answered_by(self, call_id: str | None, name: str | None) -> Call | None:
        """Return the call with that id, else this turn's first unanswered one of that tool, else of any tool.

        It counts as answered from then on.
        """
        call = self.by_id(call_id)
        if self._turn is None:
            return call
        if call is None:
            call = self._turn.first(name)
        if call is not None:
            self._turn.drop(call)
        return call


class _Unanswered:
    """One turn's calls, of every tool and of each. Ordered dicts: dropping the first one stays cheap."""

    def __init__(self) -> None:
        self._all: OrderedDict[Call, None] = OrderedDict()
        self._of_tool: dict[str, OrderedDict[Call, None]] = {}

    def add(self, call: Call) -> None:
        self._all[call] = None
        self._of_tool.setdefault(call.name, OrderedDict())[call] = None

    def first(self, name: str | None) -> Call | None:
        return next(iter(self._of_tool.get(name, ()) if name else self._all), None)

    def drop(self, call: Call) -> None:
        if call in self._all:
            del self._all[call]
            del self._of_tool[call.name][call]
