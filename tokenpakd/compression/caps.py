"""Huge outputs, held to what a reader takes in: the beginning, the end and what stands out in between.

Rules this file owns:
- The caps are constants of this version of the compressor; nothing about the rest of the request moves them.
- In between, lines stand out by the rarity of their shape (their words, numbers and indentation left out); a line that
  speaks of trouble goes first among equals.
- Files and differences are read to be worked on: their cap is higher.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, groupby

import msgspec

from tokenpakd.compression.segments import Segment
from tokenpakd.tokens.estimate import estimate


class _Cap(msgspec.Struct, frozen=True):
    above_tokens: int
    head_tokens: int
    tail_tokens: int
    between_tokens: int


_OUTPUT = _Cap(10_000, 4_000, 2_000, 2_000)
_FILE = _Cap(20_000, 10_000, 4_000, 2_000)
_FILES = frozenset((Segment.CODE, Segment.CONFIG, Segment.FILE_VIEW, Segment.DIFF))
_LEFT_ALONE = frozenset((Segment.PROTECTED, Segment.NARRATIVE))

_MARK_TOKENS = 8
_MOST_LINE_TOKENS = 400
_MOST_ALIKE = 2
_LEAST_CHARS_PER_TOKEN = 1

_DIGITS = b"0123456789"
_LETTERS_AND_BLANKS = bytes((*range(0x41, 0x5B), *range(0x61, 0x7B), 0x20, 0x09, 0x0D))
_TROUBLE = (
    *(b"error", b"fail", b"exception", b"traceback", b"fatal", b"panic", b"critical", b"denied", b"refused", b"abort"),
    *(b"timeout", b"time out", b"timedout", b"timed out"),
)
# Beyond ASCII: what is a letter of those words in another case.
_LOOKALIKES = (("\u017f", b"s"), ("\u0131", b"i"), ("\u0130", b"i"), ("\u212a", b"k"))


def shorten(text: str, segment: Segment) -> str | None:
    """Return head, tail and the rare lines in between of a text above its cap; None below it."""
    if segment in _LEFT_ALONE:
        return None
    cap = _FILE if segment in _FILES else _OUTPUT
    if len(text) * _LEAST_CHARS_PER_TOKEN <= cap.above_tokens or estimate(text) <= cap.above_tokens:
        return None
    lines = text.split("\n")
    head = _taken(lines, range(len(lines)), cap.head_tokens)
    tail = len(lines) - _taken(lines, range(len(lines) - 1, head - 1, -1), cap.tail_tokens)
    # A line longer than the head would leave nothing but its absence.
    if head == 0 or tail <= head:
        return None
    kept = _standing_out(text, lines, range(head, tail), cap.between_tokens)
    shortened = _written(lines, head, tail, kept)
    return shortened if estimate(shortened) <= cap.above_tokens else None


def _taken(lines: Sequence[str], order: range, budget_tokens: int) -> int:
    """Return how many lines fit the budget, taken in that order."""
    left = budget_tokens
    for count, index in enumerate(order):
        left -= max(1, estimate(lines[index]))
        if left < 0:
            return count
    return len(order)


def _standing_out(text: str, lines: Sequence[str], between: range, budget_tokens: int) -> list[int]:
    """Return the places of rare lines between head and tail, the rarest within the budget, in order."""
    # Rare by its own words at first; among those, and nearly every line of prose is one, rare in its build.
    undigited = text.encode("utf-8", "surrogatepass").translate(None, _DIGITS)
    shapes = undigited.split(b"\n")
    alike = map(Counter(shapes).__getitem__, shapes[between.start : between.stop])
    rare = [at for at, count in zip(between, alike, strict=True) if count <= _MOST_ALIKE and shapes[at].strip()]
    if not rare:
        return []
    builds = undigited.translate(None, _LETTERS_AND_BLANKS).split(b"\n")
    spread = Counter(builds)
    kept: list[int] = []
    left = budget_tokens
    for index in _ranked(lines, {at: spread[builds[at]] for at in rare}):
        tokens = estimate(lines[index])
        if tokens > _MOST_LINE_TOKENS:
            continue
        left -= tokens + _MARK_TOKENS
        if left < 0:
            break
        kept.append(index)
    return sorted(kept)


def _ranked(lines: Sequence[str], spread: Mapping[int, int]) -> Iterator[int]:
    """Yield the places of lines, those of a rare build first, of equals those that speak of trouble."""
    for _, group in groupby(sorted(spread, key=spread.__getitem__), key=spread.__getitem__):
        places = list(group)
        troubled = _troubled([lines[place] for place in places])
        yield from (places[index] for index in sorted(troubled))
        yield from (place for index, place in enumerate(places) if index not in troubled)


def _troubled(lines: Sequence[str]) -> set[int]:
    """Return the places of lines that speak of trouble; all of them together cost a search for each word."""
    text = "\n".join(lines)
    lowered = text.encode("utf-8", "surrogatepass").lower()
    for char, letter in () if text.isascii() else _LOOKALIKES:
        lowered = lowered.replace(char.encode(), letter)
    hits: list[int] = []
    for word in _TROUBLE:
        at = lowered.find(word)
        while at >= 0:
            hits.append(at)
            end = lowered.find(b"\n", at)
            at = lowered.find(word, end) if end >= 0 else -1
    if not hits:
        return set()
    ends = [*accumulate([len(line) + 1 for line in lowered.split(b"\n")])]
    return {bisect_right(ends, at) for at in hits}


def _written(lines: Sequence[str], head: int, tail: int, kept: Sequence[int]) -> str:
    out = list(lines[:head])
    place = head
    for index in (*kept, tail):
        if index > place:
            missing = index - place
            out.append(f"[{missing} line{'s' * (missing != 1)} not shown]")
        if index < tail:
            out.append(lines[index])
        place = index + 1
    out += lines[tail:]
    return "\n".join(out)
