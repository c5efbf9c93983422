"""Files that instruct the model: what they hold is sent verbatim, in every mode, however often it comes.

Clients put them into the conversation in three ways: the model reads one with a tool, the client pastes it into a
user's message, or it hangs it on to a tool's result as a reminder.
"""

_NAMES = (
    "soul.md",
    "claude.md",
    "claude.local.md",
    "agents.md",
    "agents.override.md",
    "gemini.md",
    "copilot-instructions.md",
    "conventions.md",
    "skill.md",
    ".claude/rules",
    ".github/instructions",
    ".kiro/steering",
    ".roo/rules",
    ".junie/guidelines",
    ".cursorrules",
    ".cursor/rules",
    ".clinerules",
    ".windsurfrules",
)
_NAMES_BYTES = tuple(name.encode() for name in _NAMES)
_REMINDER = b"system-reminder"
_HEADER = b"Contents of "
_HEADER_BYTES = 400
_OPENING_BYTES = 80
_CLOSING_BYTES = 48
_REMINDERS = 64


def are_named(words: str) -> bool:
    """Say whether an argument of a call names such a file."""
    lowered = words.lower()
    # Nearly no call names such a file; two look-ups settle it.
    if ".md" not in lowered and "rules" not in lowered:  # true of every name above with what stands in its folder
        return False
    return any(name in lowered for name in _NAMES)


def are_mentioned(body: bytes, start: int, end: int) -> bool:
    """Say whether a literal of the body mentions such a file, in any spelling of upper and lower case."""
    # Two searches of the body itself: a copy in lower case would cost as much as both.
    if body.find(b".md", start, end) < 0 and body.find(b"rules", start, end) < 0:
        return False
    return _are_named(body[start:end])


def are_contained(body: bytes, start: int, end: int) -> bool:
    """Say whether a tool's result holds such a file: it opens with its header, or ends with a reminder that does.

    A mere mention is no reason: listings and searches name these files all the time. Both ends are looked at, for
    searching the results whole would be a third of the cost of a look.
    """
    if body.find(_HEADER, start, min(end, start + _OPENING_BYTES)) < 0:
        if body.find(_REMINDER, max(start, end - _CLOSING_BYTES), end) < 0:
            return False
        start = body.find(_REMINDER, start, end)
    return _has_header(body, start, end)


def _has_header(body: bytes, start: int, end: int) -> bool:
    for _ in range(_REMINDERS):
        start = body.find(_HEADER, start, end)
        if start < 0:
            return False
        start += len(_HEADER)
        line = body[start : min(end, start + _HEADER_BYTES)].partition(rb"\n")[0]
        if _are_named(line):
            return True
    return False


def _are_named(text: bytes) -> bool:
    lowered = text.lower()
    return any(name in lowered for name in _NAMES_BYTES)
