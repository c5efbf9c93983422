"""Which call a tool result answers, and what to call it: the tool's name and the argument that says most."""

import msgspec

from tokenpakd.dialects.canonical import NOTHING, is_list, is_object, is_text
from tokenpakd.exchange.request import Call

LABEL_CHARS = 60
_READ_BYTES = 4_096
_SHORTEST_LABEL = 2


class _Arguments(msgspec.Struct, gc=False):
    """The arguments that say what a call is about, most telling first."""

    command: msgspec.Raw = NOTHING
    cmd: msgspec.Raw = NOTHING
    file_path: msgspec.Raw = NOTHING
    path: msgspec.Raw = NOTHING
    filename: msgspec.Raw = NOTHING
    pattern: msgspec.Raw = NOTHING
    query: msgspec.Raw = NOTHING
    url: msgspec.Raw = NOTHING


_ARGUMENTS = msgspec.json.Decoder(_Arguments)
_TEXT = msgspec.json.Decoder(str)
_WORDS = msgspec.json.Decoder(list[str])


def label(arguments: msgspec.Raw) -> str:
    """Return at most 60 characters that name a call: its main argument, else all of them, blanks collapsed.

    `arguments` is an object, or a string that holds one, or free text. Empty when there is nothing worth quoting.
    """
    try:
        return _cut(_words(arguments))
    except (ValueError, RecursionError):
        return ""


def _words(arguments: msgspec.Raw) -> str:
    if is_text(arguments):
        inner = _TEXT.decode(arguments)
        if not inner.lstrip().startswith("{"):
            return inner
        try:
            return _telling(inner)
        except ValueError:  # free text that happens to begin with a brace
            return inner
    return _telling(arguments) if is_object(arguments) else ""


def _telling(arguments: msgspec.Raw | str) -> str:
    for value in msgspec.structs.astuple(_ARGUMENTS.decode(arguments)):
        if value is not NOTHING:
            told = _value(value)
            if told:
                return told
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
    collapsed = " ".join(words[:_READ_BYTES].split())
    if len(collapsed) < _SHORTEST_LABEL:
        return ""
    return collapsed if len(collapsed) <= LABEL_CHARS else collapsed[: LABEL_CHARS - 1] + "…"


class CallBook:
    """The calls of one request so far, in order. Answers depend only on what was added before."""

    def __init__(self) -> None:
        self._by_id: dict[str, Call] = {}
        self._times: dict[tuple[str, str], int] = {}
        self._unanswered: list[Call] = []

    def add(self, call_id: str | None, name: str, arguments: msgspec.Raw) -> None:
        """Note a call. One without a name cannot be pointed at and only takes its id out of use."""
        if not name:
            self._by_id.pop(call_id or "", None)
            return
        said = label(arguments)
        # A call without a label is named by its tool alone, so it is counted among all calls of that tool.
        by_tool = self._times[name, ""] = self._times.get((name, ""), 0) + 1
        ordinal = by_tool
        if said:
            ordinal = self._times[name, said] = self._times.get((name, said), 0) + 1
        call = Call(name, said, ordinal)
        self._unanswered.append(call)
        if call_id:
            self._by_id[call_id] = call

    def begin_turn(self) -> None:
        """Forget calls nobody answered: what follows answers this turn's calls."""
        self._unanswered.clear()

    def by_id(self, call_id: str | None) -> Call | None:
        """Return the latest call with that id."""
        return self._by_id.get(call_id) if call_id else None

    def next_of(self, name: str | None) -> Call | None:
        """Return this turn's first unanswered call of a tool (of any tool without a name) and count it answered."""
        for index, call in enumerate(self._unanswered):
            if not name or call.name == name:
                return self._unanswered.pop(index)
        return None

    def answered(self, call: Call | None) -> None:
        """Take a call that was found by its id off the unanswered ones."""
        if call in self._unanswered:
            self._unanswered.remove(call)
