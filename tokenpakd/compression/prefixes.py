"""What neighbouring lines begin with is said once, above them.

    [3 lines begin "src/marshmallow/fields.py:"]
    11:import collections
    15:import decimal
    16:import math

Where a search shows what stands around its hits, the mark that tells them apart stays on each line:

    [3 lines begin "src/marshmallow/fields.py"]
    -340-        if isinstance(value, Mapping):
    :341:            raise ValidationError
    -342-

Rules of this file:
- A prefix ends after a colon or a blank, or where a hit says that its path ends; never inside a path, an identifier, a
  test's name, a URL or a number: whatever could be quoted later stands whole either in the heading or in the rest.
- After a blank only where lines are records (file modes, what a package tool does): what is quoted or looked for as a
  line (code behind `path:`, a row of a table, a line of a log) stays in one piece.
- Text that already speaks our notation is left alone, so that what is sent has one reading only.
"""

import re
from collections.abc import Iterator
from itertools import compress, islice
from operator import eq

import msgspec

from tokenpakd.compression.segments import Segment
from tokenpakd.tokens.estimate import estimate

READS = frozenset((Segment.SEARCH, Segment.LISTING, Segment.LOG, Segment.TEST, Segment.UNKNOWN))

_MIN_GAIN_TOKENS = 5
_HEADING_TOKENS = 8
_MIN_PREFIX_TOKENS = 4  # one or two tokens often melt into the word behind them and cost nothing
_MAX_PREFIX_CHARS = 400
_PATIENCE_LINES = 16
_FEWEST_CHARS = 9  # words and paths shorter than that are hardly four tokens
_MARK = 'lines begin "'
_HEADING = re.compile(r'\[(\d{1,7}) lines begin "([^"]+)"\]')
# A colon inside `12:30`, `a.py::test`, `https://` or `C:\` joins more than it parts.
_COLON = r":(?<![:\d]:)(?![:/\\])"
_JOINED = (":", "/", "\\")
# Quotes would end the quotation in the heading; controls and Unicode's line ends are not to be read there.
_CLEAN = '[^"\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]'
_FIRST_COLON = re.compile(_COLON)
_UNBROKEN = re.compile('[^\\s"\x00-\x1f\x7f-\x9f]*+')
_RECORD_ENDS = re.compile(f"[ \t]|{_COLON}")
_RECORD = re.compile(r"[-bcdlps](?:[r-][w-][xsStT-]){3}")
# Who looks for a line of a log looks for all of it, time and level included: 0.0008 of the bill.
_LOGGED = re.compile(r"(?:DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL|TRACE)\b|[\[\d<]")
_UNCLEAN = re.compile(f"(?!{_CLEAN})", re.DOTALL)
_HIT = re.compile(r"([^\s\"\x00-\x1f\x7f-\x9f:]{9,400}+):\d{1,7}:")
_SHOWN = re.compile(r"([:-])\d{1,7}\1")


class _Group(msgspec.Struct, frozen=True, gc=False):
    start: int
    end: int
    prefix: str


def shorten(text: str, segment: Segment) -> str | None:
    """Return the text with common beginnings of neighbouring lines said once; None where that gains nothing."""
    if segment not in READS or _MARK in text:
        return None
    lines = text.split("\n")
    parts: list[str] = []
    at = 0
    around = {group.start: group for group in _around_hits(lines)} if segment is Segment.SEARCH else {}
    for group in _groups(lines, around, is_log=segment is Segment.LOG):
        parts += lines[at : group.start]
        parts.append(_heading(group.end - group.start, group.prefix))
        cut = len(group.prefix)
        parts += [line[cut:] for line in lines[group.start : group.end]]
        at = group.end
    if not at:
        return None
    parts += lines[at:]
    shorter = "\n".join(parts)
    return shorter if len(shorter) < len(text) and restore(shorter) == text else None


def restore(text: str) -> str:
    """Return the text that `shorten` was given."""
    if _MARK not in text:
        return text
    lines = text.split("\n")
    parts: list[str] = []
    at = 0
    while at < len(lines):
        said = _HEADING.fullmatch(lines[at]) if _MARK in lines[at] else None
        if said is None:
            parts.append(lines[at])
            at += 1
            continue
        count, prefix = int(said[1]), said[2]
        parts += [prefix + line for line in lines[at + 1 : at + 1 + count]]
        at += 1 + count
    return "\n".join(parts)


def _heading(count: int, prefix: str) -> str:
    return f'[{count} lines begin "{prefix}"]'


def _around_hits(lines: list[str]) -> Iterator[_Group]:
    """Yield what a search shows of one place in a file: hits and the lines beside them, with their numbers."""
    done = 0
    for at, line in enumerate(lines):
        hit = _HIT.match(line) if at >= done else None
        if hit is None:
            continue
        path, cut = hit[1], len(hit[1])
        start, end = at, at + 1
        while start > done and lines[start - 1].startswith(path) and _SHOWN.match(lines[start - 1], cut):
            start -= 1
        while end < len(lines) and lines[end].startswith(path) and _SHOWN.match(lines[end], cut):
            end += 1
        done = end
        has_others = any(shown[cut] == "-" for shown in lines[start:end])
        if has_others and estimate(path) * (end - start - 1) - _HEADING_TOKENS >= _MIN_GAIN_TOKENS:
            yield _Group(start, end, path)


def _groups(lines: list[str], around: dict[int, _Group], *, is_log: bool) -> Iterator[_Group]:
    """Yield groups from top to bottom, each the best one that begins where it does, or the one found before."""
    taken = 0
    for at in _candidates(lines):
        if at < taken:
            continue
        if at in around:
            taken = around[at].end
            yield around[at]
            continue
        ends = _ends(lines[at], lines[at + 1], is_log=is_log)
        if not ends:
            continue
        group, looked = _group(lines, at, ends)
        if group is not None:
            taken = group.end
            yield group
        elif len(ends) == 1:
            taken = looked  # lines looked at have the same only end, and fewer of them gain less


def _candidates(lines: list[str]) -> list[int]:
    """Return the lines that begin like the next one. All that is done for most lines."""
    heads = [line[:_FEWEST_CHARS] for line in lines]
    alike = compress(range(len(heads)), map(eq, heads, islice(heads, 1, None)))
    return [at for at in alike if heads[at] and not heads[at][0].isspace()]


def _group(lines: list[str], start: int, ends: list[int]) -> tuple[_Group | None, int]:
    """Return the group beginning at a line that saves most, and the first line not looked at.

    The search gives up a while behind the best one found, so that all groups together look at each line a bounded
    number of times.
    """
    best: _Group | None = None
    best_tokens = _MIN_GAIN_TOKENS - 1
    patience = start + _PATIENCE_LINES
    at = start + 1
    for end in reversed(ends):
        if at == len(lines) or at > patience:
            break
        prefix = lines[start][:end]
        if not lines[at].startswith(prefix):
            continue
        tokens = estimate(prefix)
        if tokens < _MIN_PREFIX_TOKENS:
            break
        joins = prefix[-1] == ":"
        while at < len(lines) and at <= patience:
            line = lines[at]
            if not line.startswith(prefix) or (joins and line.startswith(_JOINED, end)):
                break
            at += 1
            gained = tokens * (at - start - 1) - _HEADING_TOKENS
            if gained > best_tokens:
                best, best_tokens = _Group(start, at, prefix), gained
                patience = at + (at - start) + _PATIENCE_LINES
    if best is not None and all(line == best.prefix for line in lines[start + 1 : best.end]):
        best = None  # equal lines are another compressor's business
    return best, at


def _ends(line: str, following: str, *, is_log: bool) -> list[int]:
    """Return where a prefix that both lines have may end, shortest first."""
    if not is_log and _RECORD.match(line) is None:
        colon = _FIRST_COLON.search(line, 0, _MAX_PREFIX_CHARS + 1)
        if colon is None or not _FEWEST_CHARS <= (end := colon.end()) <= _MAX_PREFIX_CHARS:
            return []
        is_said_twice = following.startswith(line[:end]) and _UNBROKEN.fullmatch(line, 0, end) is not None
        return [end] if is_said_twice and _LOGGED.match(line) is None else []
    if _LOGGED.match(line) is not None:
        return []
    common = _common(line, following)
    head = line[: common + 1]  # what stands behind a colon decides, too
    unclean = _UNCLEAN.search(head)
    stop = min(unclean.start(), common) if unclean else common
    return [end for found in _RECORD_ENDS.finditer(head) if _FEWEST_CHARS <= (end := found.end()) <= stop]


def _common(line: str, following: str) -> int:
    """Return how many characters both begin with, at most 400; ten comparisons of slices."""
    low, high = 0, min(len(line), len(following), _MAX_PREFIX_CHARS)
    if line[:high] == following[:high]:
        return high
    while low < high:
        middle = (low + high + 1) // 2
        if line[low:middle] == following[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
