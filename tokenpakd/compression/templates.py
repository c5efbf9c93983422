"""Log and progress records of one shape, told once: the first, the last and how many lay between.

Rules this file owns:
- What stays is decided by rarity, not by a word: a record whose shape is rare where it stands remains, and so does one
  whose numbers are odd among its like. A shape is the line without its numbers, hex strings and UUIDs.
- Only records fold: lines that begin with a time of day, a date or a level and go on in words, or that a tool prints to
  show progress. Tables of code, data and listings differ only in digits as well and stay whole.
- A record that speaks of trouble stays, however common.
- What a package tool says on its way is one shape per verb, names and all, where it says at the end what it did.
"""

import re
from collections import Counter
from collections.abc import Sequence
from operator import sub

from tokenpakd.compression.segments import Segment
from tokenpakd.tokens.estimate import estimate

_FOLDED = frozenset((Segment.LOG, Segment.TEST, Segment.UNKNOWN))
_LEAST_CHARS = 400
_LEAST_RUN = 5
_MOST_LINE_CHARS = 2_000
_OPEN_SHAPES = 8
_LEAST_GAIN_TOKENS = 5
_LEAST_GAIN_SHARE = 0.05

_LEVEL = r"(?:TRACE|DEBUG|INFO|NOTICE|trace|debug|info|notice)"
_TIME = (
    r"(?:\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d|\d\d:\d\d:\d\d|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"
    r"|\d\d/[A-Z][a-z]{2}/\d{4}[: ]\d\d:\d\d)"
)
_RECORD = re.compile(
    rf"^\s{{0,8}}(?:[\[(<]?{_TIME}|\[?{_LEVEL}\b|\[ {{0,6}}\d{{1,7}}\.\d{{6}}\]|\d{{1,3}}(?:\.\d{{1,3}}){{3}} - "
    r"|\[ {0,3}\d{1,3}%\]|\[\d{1,6}/\d{1,6}\]|#\d{1,4} )"
)
_TROUBLE = re.compile(
    r"error|fail|warn|exception|traceback|assert|fatal|panic|critical|denied|refused|abort|timed? ?out|corrupt",
    re.IGNORECASE,
)
# What differs from record to record: numbers (with dates, times, addresses, lists), hex strings of six or more, UUIDs.
# It begins with a set of characters and gives nothing back, which makes it five times as fast as the plain way.
_NUMBER = r"[0-9]*+(?:[:.,/-][0-9]++)*+"
_HEX = r"[0-9a-fA-F]{5,}+(?!\w)"
_UUID = r"[0-9a-fA-F]{7}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?!\w)"
_VARIABLE = re.compile(
    r"([0-9a-fA-F](?:(?<=[0-9])(?:x[0-9a-fA-F]++"
    rf"|(?<!\w.)(?=[0-9]*+[a-fA-F-])(?:{_UUID}|{_HEX})|{_NUMBER})"
    rf"|(?<!\w.)(?=[a-fA-F]{{0,15}}+[0-9])(?:{_UUID}|{_HEX})))"
)
# What is said on the way (pip, cargo, apt, docker, maven) and the line that sums it up.
_CHATTER = tuple(
    (sign, re.compile(rf"^(?:{said})", re.MULTILINE), re.compile(rf"^(?:{summed_up})", re.MULTILINE))
    for sign, said, summed_up in (
        (
            "Successfully",
            r" *(Collecting|Downloading|Using cached|Preparing metadata|Getting requirements|Installing build dep) ?",
            r" *Successfully installed ",
        ),
        (
            "Finished",
            r" {2,12}(Compiling|Downloaded|Downloading|Checking|Fresh|Adding|Locking) [\w-]+ v\d",
            r" {2,12}Finished ",
        ),
        (
            "Setting up",
            r"(Get:\d+|Selecting previously|Preparing to unpack|Unpacking|\(Reading database) ",
            r"Setting up ",
        ),
        (
            "Status: ",
            r"[0-9a-f]{12}: (Pulling|Waiting|Verifying|Download complete|Pull complete|Already exists)",
            r"Status: ",
        ),
        ("BUILD ", r"(?:\[INFO\] )?(Downloading|Downloaded) from ", r"(?:\[\w+\] )?BUILD (?:SUCCESS|FAILURE)"),
    )
)
_WORD = r"(?!nan\b|nat\b|none\b|null\b|true\b|false\b|inf\b)[A-Za-z]{2,}"
_WORDS = re.compile(rf"(?i:\b{_WORD}\b.*\b{_WORD}\b)")
_DATA_ROW = re.compile(r"[,;|\t](?:[^\s,;|]{0,80}[,;|\t]){3}")
_HOLE = "\0"
_MARK = re.compile(r"^\[\d+ similar lines\]$", re.MULTILINE)

# A value is odd among its like when at most this share of them has it, or anything of its form.
_ODD_SHARE = 0.02
# A column that finds more odd ones than this says nothing: its values simply differ.
_MOST_ODD_SHARE = 0.05
_ODD_AT_LEAST = 4
_MOST_DIGITS = 15
_FAR = 3.0


def shorten(text: str, segment: Segment) -> str | None:
    """Return the text with runs of like records folded; None when that is no clear gain."""
    if segment not in _FOLDED or len(text) < _LEAST_CHARS or _HOLE in text:
        return None
    # What a run left over, its odd ones above all, would look like a run of its own.
    folded = None if _MARK.search(text) else _fold(text)
    if folded is None:
        return None
    before, after = estimate(text), estimate(folded)
    return folded if before - after >= max(_LEAST_GAIN_TOKENS, _LEAST_GAIN_SHARE * before) else None


def _fold(text: str) -> str | None:
    lines = text.split("\n")
    verbs = _verbs(text, lines)
    is_record = [verb is not None or _RECORD.match(line) is not None for line, verb in zip(lines, verbs, strict=True)]
    if sum(is_record) < _LEAST_RUN:
        return None
    pieces = _VARIABLE.split(text)
    shapes = _HOLE.join(pieces[::2]).split("\n")
    runs = _runs([verb or shape for shape, verb in zip(shapes, verbs, strict=True)], is_record)
    if not runs:
        return None
    values = [[] if verb else row for row, verb in zip(_values(pieces[1::2], shapes), verbs, strict=True)]
    folds: set[int] = set()
    for run in runs:
        odd = _odd([values[index] for index in run])
        folds.update(index for place, index in enumerate(run[1:-1], 1) if place not in odd)
    return _written(lines, folds)


def _verbs(text: str, lines: Sequence[str]) -> list[str | None]:
    """Return what each line of chatter says, two holes before it so that no other line has that shape."""
    for sign, said, summed_up in _CHATTER:
        if sign in text and said.search(text) and summed_up.search(text):
            return [_HOLE * 2 + found[1] if (found := said.match(line)) else None for line in lines]
    return [None] * len(lines)


def _runs(shapes: Sequence[str], records: Sequence[bool]) -> list[list[int]]:
    """Return the places of like records: at least 5 a run, at most 8 shapes apart."""
    common = Counter(shape for shape, is_record in zip(shapes, records, strict=True) if is_record)
    may_fold = {shape: count >= _LEAST_RUN and _is_prose_of_record(shape) for shape, count in common.items()}
    found: list[list[int]] = []
    open_runs: dict[str, list[int]] = {}
    for index, (shape, is_record) in enumerate(zip(shapes, records, strict=True)):
        run = open_runs.pop(shape, None)
        if run is None:
            run = []
            if len(open_runs) >= _OPEN_SHAPES:
                found.append(open_runs.pop(next(iter(open_runs))))
        if is_record and may_fold[shape]:
            run.append(index)
        open_runs[shape] = run
    found += open_runs.values()
    return [run for run in found if len(run) >= _LEAST_RUN]


def _is_prose_of_record(shape: str) -> bool:
    return shape.startswith(_HOLE * 2) or (
        len(shape) <= _MOST_LINE_CHARS
        and _WORDS.search(shape) is not None
        and _TROUBLE.search(shape) is None
        and _DATA_ROW.search(shape) is None
    )


def _values(flat: Sequence[str], shapes: Sequence[str]) -> list[Sequence[str]]:
    """Return what each line has in its holes."""
    rows: list[Sequence[str]] = []
    start = 0
    for shape in shapes:
        end = start + shape.count(_HOLE)
        rows.append(flat[start:end])
        start = end
    return rows


def _odd(rows: Sequence[Sequence[str]]) -> set[int]:
    """Return the places of the rows with a value that is odd in its column."""
    odd: set[int] = set()
    for column in zip(*rows, strict=True):
        if column.count(column[0]) == len(column):
            continue
        odd |= _rare(column)
        odd |= _rare([len(value) if value.isdecimal() else -value.count(".") for value in column])
        odd |= _far(_numbers(column))
    return odd


def _numbers(column: Sequence[str]) -> Sequence[float]:
    """Return the column as numbers; nothing where one is none or long enough to be a name."""
    joined = "".join(column)
    if not joined.isascii() or max(map(len, column)) > _MOST_DIGITS:
        return ()
    if joined.isdecimal():
        return [int(value) for value in column]
    if joined.replace(".", "").isdecimal() and all(value.count(".") <= 1 for value in column):
        return [float(value) for value in column]
    return ()


def _rare(column: Sequence[object]) -> set[int]:
    """Return where the column has something that hardly any other place has, where most places have their like."""
    counts = Counter(column)
    most = max(2, int(len(column) * _ODD_SHARE))
    rare = {value for value, count in counts.items() if count <= most}
    if not rare or not _are_few(sum(counts[value] for value in rare), len(column)):
        return set()
    return {place for place, value in enumerate(column) if value in rare}


def _far(column: Sequence[float]) -> set[int]:
    """Return where a number lies far outside the rest, or steps off a regular course."""
    if not column:
        return set()
    ordered = sorted(column)
    low, high = ordered[len(ordered) // 4], ordered[len(ordered) * 3 // 4]
    reach = _FAR * (high - low)
    outside = {place for place, value in enumerate(column) if not low - reach <= value <= high + reach}
    # A step aside is two odd steps, in and out; the value itself stands after the first.
    steps = _rare([round(step, 6) for step in map(sub, column[1:], column)])
    return (outside if _are_few(len(outside), len(column)) else set()) | {step + 1 for step in steps}


def _are_few(count: int, of: int) -> bool:
    return count <= max(_ODD_AT_LEAST, of * _MOST_ODD_SHARE)


def _written(lines: Sequence[str], folds: set[int]) -> str | None:
    """Return the lines with each stretch to fold as one line; None when no stretch is worth it."""
    out: list[str] = []
    stretch: list[str] = []
    gained = False
    for index, line in enumerate((*lines, "")):
        if index in folds:
            stretch.append(line)
            continue
        if stretch:
            mark = f"[{len(stretch)} similar lines]"
            is_worth = len(stretch) > 1 and estimate("".join(stretch)) >= estimate(mark) + _LEAST_GAIN_TOKENS
            out += [mark] if is_worth else stretch
            gained = gained or is_worth
            stretch = []
        out.append(line)
    return "\n".join(out[:-1]) if gained else None
