"""A text by lines, with line numbers set aside: the same code is recognised whatever a viewer wrote before it."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence

import msgspec

_HEAD_CHARS = 28
_HEAD = re.compile(r"\W*\w+(?:\W+\w+)?")
_LONGER = ((re.compile(r"\W*\w+(?:\W+\w+){0,3}"), 40), (re.compile(r"\W*\w+(?:\W+\w+){0,7}"), 72))
_QUOTED_CHARS_MAX = 120
_ORDINALS = ("1st ", "2nd ", "3rd ")
SHORTEST_QUOTE = 6
SAME_STARTS = 256
# `    12\t` of cat -n, `12:` and `12-` of grep -n, `  12→` of reading tools, `12|`; of searches `L12: `, `Line 12: `.
_NUMBER = re.compile(r" *(?:\d{1,7}[\t→:|-]|(?:Line |L)\d{1,7}: )")
# `12: `, `00012| ` and `12 | ` of tools that read files; of a search the blank is the line's own.
_SPACED = re.compile(r" *(?:\d{1,7}(?:: ?| ?\| ?|[\t→-])|(?:Line |L)\d{1,7}: )")
# A line end spelled out is found five times as fast as `^`; the first line is asked by itself.
_NUMBERED = re.compile(r"\n *+(?:Line |L)?\d{1,7} ?[\t→:|-]")
_NUMBERED_FIRST = re.compile(r" *+(?:Line |L)?\d{1,7} ?[\t→:|-]")
_PREFIX = re.compile(r"( *(?:Line |L)?)(\d{1,7})( ?[\t→:|-] ?)")
_TAG = re.compile(r"</?[a-z_-]+>(?:.{0,40}</[a-z_-]+>)?$")
_WRAPPER_LINES = 3
_HEADING = re.compile(r'\[(\d{1,7}) lines begin "')
_NEVER = "-"  # no line's number reads so


PLAIN, BARE, COUNTED = "", "without numbers", "numbers count on"
"""How the line numbers of a run differ from those of the run it is compared with; else `numbers +5`."""


FEWEST_COUNTED = 8


class Limits(msgspec.Struct, frozen=True):
    """How long a run must be: so many lines and characters, or so many characters whatever the lines."""

    lines: int
    chars: int
    alone_chars: int

    def allow(self, folded: list[str], text: str) -> bool:
        """Say whether a run is long enough to be worth a look at what its pointer would cost."""
        return bool(folded) and len(text) >= self.chars and (len(folded) >= self.lines or len(text) >= self.alone_chars)


TOOL_OUTPUT = Limits(lines=2, chars=40, alone_chars=100)
USER_TEXT = Limits(lines=4, chars=240, alone_chars=400)


class Lines(msgspec.Struct, gc=False):
    """A text by lines: what stands behind each line's number, and the number with what surrounds it.

    `contents[i]` is None where nothing may be matched. `prefixes` is None where no line bears a number.
    """

    contents: list[str | None]
    prefixes: list[str] | None

    def raw(self, begin: int, end: int) -> list[str]:
        """Return lines as they were."""
        contents = [content or "" for content in self.contents[begin:end]]
        if self.prefixes is None:
            return contents
        return [prefix + content for prefix, content in zip(self.prefixes[begin:end], contents, strict=True)]


def split(text: str, *, is_spaced: bool = False) -> Lines:
    r"""Return a text by lines; only `\n` ends one. `is_spaced`: a blank behind a number's colon belongs to it."""
    raws = text.split("\n")
    if _NUMBERED.search(text) is None and _NUMBERED_FIRST.match(text) is None:
        return Lines(list[str | None](raws), None)
    contents: list[str | None] = []
    prefixes: list[str] = []
    number = _SPACED if is_spaced else _NUMBER
    for raw in raws:
        found = number.match(raw)
        size = found.end() if found is not None else 0
        prefixes.append(raw[:size])
        contents.append(raw[size:])
    return Lines(contents, prefixes)


def inner(lines: Lines) -> tuple[int, int]:
    """Return the range of lines within a tool's own wrapping, tags on lines of their own (`<output>`)."""
    contents = lines.contents
    begin, end = 0, len(contents)
    while begin < min(end, _WRAPPER_LINES) and _TAG.match(contents[begin] or "") is not None:
        begin += 1
    while end > max(begin, len(contents) - _WRAPPER_LINES) and _TAG.match(contents[end - 1] or "") is not None:
        end -= 1
    return begin, end


def groups(lines: Lines) -> list[tuple[int, int]]:
    """Return where headings stand that say what the lines below them begin with, and where those end."""
    found = (
        (at, _HEADING.match(content))
        for at, content in enumerate(lines.contents)
        if content is not None and content.startswith("[")
    )
    return [(at, at + 1 + int(said[1])) for at, said in found if said is not None]


def unparted(headed: list[tuple[int, int]], begin: int, size: int) -> int:
    """Return how many lines of a run may go: never a heading without all that stands below it.

    A reader would look for the path of what stays inside of what a pointer stands for.
    """
    nth = bisect_left(headed, (begin + size,)) - 1
    return headed[nth][0] - begin if nth >= 0 and begin <= headed[nth][0] and begin + size < headed[nth][1] else size


def head(content: str) -> str:
    """Return what a line is known by: its first two words, at most 28 characters; empty for none."""
    found = _HEAD.match(content.lstrip())
    return found.group()[:_HEAD_CHARS].rstrip() if found is not None else ""


def quotes(content: str) -> tuple[str, ...]:
    """Return what a line may be quoted by, shortest first: its head, four words, eight, all of it."""
    stripped = content.strip()
    found = [head(content)]
    for pattern, chars in _LONGER:
        longer = pattern.match(stripped)
        if longer is None:
            return ()
        found.append(longer.group()[:chars].rstrip())
    return tuple(dict.fromkeys((*found, stripped[:_QUOTED_CHARS_MAX])))


def best_quote(content: str, rank: Callable[[str], tuple[int, bool]]) -> str | None:
    """Return the quotation that finds a line, an ordinal before it where it is not the only one that begins so.

    `rank(quote)` is the how-manieth line that begins so, 0 where it is not worth counting, and whether there are
    others. None where the line is too short to be recognised, or the fourth of its kind or later however much of it is
    quoted.
    """
    best, lowest, has_others = None, len(_ORDINALS) + 1, False
    for quote in quotes(content):
        found, others = rank(quote) if len(quote) >= SHORTEST_QUOTE else (0, False)
        if 0 < found < lowest:
            best, lowest, has_others = quote, found, others
        if lowest == 1:
            break
    return None if best is None else f'{_ORDINALS[lowest - 1] if has_others else ""}"{best}"'


def rank(contents: Sequence[str | None], starts: Sequence[int], place: int, quote: str) -> tuple[int, bool]:
    """Return the how-manieth of some lines that begin with a quote one is, 0 for far down; and if there are others.

    `starts`: where lines stand that begin nearly so.
    """
    found = others = 0
    for at in starts[:SAME_STARTS]:
        if (contents[at] or "").lstrip().startswith(quote):
            if at == place:
                found = others + 1
            else:
                others += 1
        if found and others:
            break
    return found, others > 0 or len(starts) > SAME_STARTS


def renumbered(style: str, number: int) -> str:
    """Return a line's number with what surrounds it, another number in its place; aligned as `style` is."""
    found = _PREFIX.fullmatch(style)
    if found is None:
        return ""
    before, digits, behind = found.groups()
    if digits[0] == "0":
        return before + str(number).zfill(len(digits)) + behind
    if before and before[-1] == " " and not before.strip():
        return str(number).rjust(len(before) + len(digits)) + behind
    return f"{before}{number}{behind}"


def number_of(prefix: str) -> int:
    """Return the number in a line's prefix; -1 for none."""
    found = _PREFIX.fullmatch(prefix)
    return int(found[2]) if found is not None else -1


def agreement(mine: list[str], theirs: list[str]) -> tuple[int, str]:
    """Return how many lines' numbers agree in the same way from the first one on, and in which way."""
    if mine == theirs:
        return len(mine), PLAIN
    if mine[0] == theirs[0]:
        return _equal(mine, theirs), PLAIN
    if not mine[0]:
        return _equal(mine, ("" if prefix else _NEVER for prefix in theirs)), BARE
    if not theirs[0]:
        # Numbers that stand nowhere else: of a few lines they have to be sent, through a whole file they count on.
        first = number_of(mine[0])
        counted = (_NEVER if prefix else renumbered(mine[0], first + n) for n, prefix in enumerate(theirs))
        size = _equal(mine, counted)
        return (size, COUNTED) if size > FEWEST_COUNTED else (0, PLAIN)
    shift = number_of(mine[0]) - number_of(theirs[0])
    # Generators: a run that ends after its first line must not cost what its contents promised.
    shifted = (renumbered(mine[0], number_of(prefix) + shift) if prefix else _NEVER for prefix in theirs)
    return _equal(mine, shifted), f"numbers {shift:+d}"


def _equal(mine: list[str], theirs: Iterable[str]) -> int:
    return next((n for n, (left, right) in enumerate(zip(mine, theirs, strict=False)) if left != right), len(mine))
