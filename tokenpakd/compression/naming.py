"""What to call an earlier text, in words the model has before its eyes: a file, a command, a tool and its argument."""

import re
from collections.abc import Iterator

from tokenpakd.exchange.request import Call, Span, SpanKind

USER = "a user message"
"""The name of every text of the user's."""

_COMMAND_CHARS = 28
_TOOL_CHARS = 64
_CHANGED_FOLDER = re.compile(r"^cd [^&;|]{1,60}(?:&&|;) *")
_NOTATION = re.compile(
    r"^\[(?:\+?\d+ lines as (?:in|above) |same (?:output as|text as in the output of) your )", re.MULTILINE
)
# A path or file name with an extension: `fields.py`, `src/a.tar.gz`; not `0.9.1`, not `2>&1`.
_FILE = re.compile(r"(?<![\w./@+-])[\w./@+-]*[A-Za-z_-][\w@+-]*\.[A-Za-z]\w{0,6}(?![\w./@+…-])")
_CHANGES = re.compile(r"edit|write|replace|insert|delete|create|update|patch|todo", re.IGNORECASE)
_READERS = re.compile(r"(?:^|_)(?:[Rr]ead|[Vv]iew|[Oo]pen)(?:$|_?[Ff]ile)")
_SHELLS = frozenset(("bash", "shell", "local_shell", "exec_command", "terminal", "execute", "run", "cmd", "powershell"))


def names(span: Span) -> tuple[str, ...]:
    """Return the names a block answers to, shortest first; empty where it cannot be named.

    A block of a call is named by the file its main argument mentions, by that file's whole path, and by the
    command itself. None of it is longer than some 60 characters.
    """
    if span.kind is SpanKind.USER_TEXT:
        return (USER,)
    return tuple(dict.fromkeys(_names(span.call))) if span.call is not None else ()


def changes_something(call: Call | None) -> bool:
    """Say whether a call changes something: that it did so is news each time, however it was said before."""
    return call is not None and _CHANGES.search(call.name) is not None


def spaces_numbers(call: Call | None) -> bool:
    """Say whether a blank behind a line's number is the tool's: tools that read files write one, if any, everywhere."""
    return call is not None and _READERS.search(call.name) is not None


def same_output(call: Call, *, times: int, is_whole: bool) -> str:
    """Return the words for an output that stands earlier; `times`: how many calls of that name were answered so far."""
    name = _tool(call)
    what = "same output as" if is_whole else "same text as in the output of"
    if not call.label:
        which = f"{_nth(call.ordinal)} {name} call"
    elif times > 1:
        which = f'{_nth(call.ordinal)} "{call.label}" ({name})'
    else:
        which = f'earlier "{call.label}" ({name})'
    return f"[{what} your {which}, unchanged]"


def left_out(call: Call) -> str:
    """Return the words for an old output that was masked."""
    name = _tool(call)
    return (
        f'[old output of your earlier "{call.label}" ({name}) left out]'
        if call.label
        else f"[old {name} output left out]"
    )


def speaks_notation(text: str) -> bool:
    """Say whether a line of a text reads like a pointer of ours."""
    return (" lines as " in text or "[same " in text) and _NOTATION.search(text) is not None


def _nth(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def _names(call: Call) -> Iterator[str]:
    label = _CHANGED_FOLDER.sub("", call.label)
    file = _FILE.search(label)
    if file is not None:
        path = file.group()
        yield path.rsplit("/", 1)[-1]
        yield path
    tool = _tool(call)
    if tool and label[:1] in ("", "{"):  # arguments as they stand are a poor name, and two quotations in a row
        yield tool
    if not label:
        return
    command = f'"{_short(label)}"'
    yield command if tool.lower() in _SHELLS else f"{tool} {command}".lstrip()


def _tool(call: Call) -> str:
    """Return the tool's name on one line: what a client or a model made up may hold anything."""
    return " ".join(call.name[:_TOOL_CHARS].split())


def _short(label: str) -> str:
    if len(label) <= _COMMAND_CHARS:
        return label
    cut = label[:_COMMAND_CHARS]
    words = cut.rsplit(" ", 1)[0]
    return words if len(words) >= _COMMAND_CHARS // 2 else cut.rstrip()
