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
from itertools import accumulate
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
_RECORD_BEGIN = (
    rf"[^\S\n]{{0,8}}+(?=[\d\[(<#A-Zdint])(?:[\[(<]?{_TIME}|\[?{_LEVEL}\b|\[ {{0,6}}\d{{1,7}}\.\d{{6}}\]"
    r"|\d{1,3}(?:\.\d{1,3}){3} - |\[ {0,3}\d{1,3}%\]|\[\d{1,6}/\d{1,6}\]|#\d{1,4} )"
)
_RECORD = re.compile(_RECORD_BEGIN)
_RECORD_LINE = re.compile(f"\n{_RECORD_BEGIN}[^\n]*+")
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
_MARK_END = " similar lines]"
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
    if _MARK_END in text and _MARK.search(text):
        return None
    chatter = _chatter(text)
    in_records = _tokens_in_records(text) if chatter is None else None
    if in_records == 0:
        return None
    before = estimate(text)
    least = max(_LEAST_GAIN_TOKENS, _LEAST_GAIN_SHARE * before)
    if in_records is not None and in_records < least:
        return None
    folded = _fold(text, chatter)
    return folded if folded is not None and before - estimate(folded) >= least else None


def _tokens_in_records(text: str) -> int:
    """Return how many tokens the records make up: what may go at most; 0 where they are too few for a run."""
    records = _RECORD_LINE.findall(f"\n{text}")
    return estimate("".join(records)) if len(records) >= _LEAST_RUN else 0


def _fold(text: str, chatter: re.Pattern[str] | None) -> str | None:
    lines = text.split("\n")
    is_record = [_RECORD.match(line) is not None for line in lines]
    pieces = _VARIABLE.split(text)
    shapes = _HOLE.join(pieces[::2]).split("\n")
    kinds = shapes
    if chatter is not None:
        verbs = [chatter.match(line) for line in lines]
        is_record = [is_one or verb is not None for is_one, verb in zip(is_record, verbs, strict=True)]
        # Two holes before a verb, so that no other line has that shape.
        kinds = [_HOLE * 2 + verb[1] if verb else shape for shape, verb in zip(shapes, verbs, strict=True)]
    runs = _runs(kinds, is_record)
    if not runs:
        return None
    values = pieces[1::2]
    ends = [0, *accumulate([shape.count(_HOLE) for shape in shapes])]
    folds: set[int] = set()
    for run in runs:
        is_chatter = kinds[run[0]].startswith(_HOLE * 2)
        odd = set() if is_chatter else _odd([values[ends[index] : ends[index + 1]] for index in run])
        folds.update([index for place, index in enumerate(run[1:-1], 1) if place not in odd])
    return _written(lines, folds)


def _chatter(text: str) -> re.Pattern[str] | None:
    """Return the pattern of a package tool's lines, where it says at the end what it did."""
    for sign, said, summed_up in _CHATTER:
        if sign in text and said.search(text) and summed_up.search(text):
            return said
    return None


def _runs(shapes: Sequence[str], records: Sequence[bool]) -> list[list[int]]:
    """Return the places of like records: at least 5 a run, at most 8 shapes apart."""
    found: list[list[int]] = []
    open_runs: dict[str, list[int]] = {}
    for index, (shape, is_record) in enumerate(zip(shapes, records, strict=True)):
        run = open_runs.pop(shape, None)
        if run is None:
            run = []
            if len(open_runs) >= _OPEN_SHAPES:
                found.append(open_runs.pop(next(iter(open_runs))))
        if is_record:
            run.append(index)
        open_runs[shape] = run
    found += open_runs.values()
    long = [run for run in found if len(run) >= _LEAST_RUN]
    may_fold = {shape: _is_prose_of_record(shape) for shape in {shapes[run[0]] for run in long}}
    return [run for run in long if may_fold[shapes[run[0]]]]


def _is_prose_of_record(shape: str) -> bool:
    return shape.startswith(_HOLE * 2) or (
        len(shape) <= _MOST_LINE_CHARS
        and _WORDS.search(shape) is not None
        and _TROUBLE.search(shape) is None
        and _DATA_ROW.search(shape) is None
    )


def _odd(rows: Sequence[Sequence[str]]) -> set[int]:
    """Return the places of the rows with a value that is odd in its column."""
    odd: set[int] = set()
    for column in zip(*rows, strict=True):
        if column.count(column[0]) == len(column):
            continue
        joined = "".join(column)
        odd |= _rare(column)
        odd |= _rare(_forms(column, joined))
        odd |= _far(_numbers(column, joined))
    return odd


def _forms(column: Sequence[str], joined: str) -> Sequence[int]:
    if joined.isdecimal():
        return list(map(len, column))
    return [len(value) if value.isdecimal() else -value.count(".") for value in column]


def _numbers(column: Sequence[str], joined: str) -> Sequence[float]:
    """Return the column as numbers; nothing where one is none or long enough to be a name."""
    if not joined.isascii() or max(map(len, column)) > _MOST_DIGITS:
        return ()
    if joined.isdecimal():
        return list(map(int, column))
    if joined.replace(".", "").isdecimal() and all(value.count(".") <= 1 for value in column):
        return list(map(float, column))
    return ()


def _rare(column: Sequence[object]) -> set[int]:
    """Return where the column has something that hardly any other place has, where most places have their like."""
    size = len(column)
    counts = Counter(column)
    most = max(2, int(size * _ODD_SHARE))
    # So many values come often at most; the others are rare, and each stands somewhere.
    if not _are_few(len(counts) - size // (most + 1), size):
        return set()
    rare = {value for value, count in counts.items() if count <= most}
    if not rare or not _are_few(sum(counts[value] for value in rare), size):
        return set()
    return {place for place, value in enumerate(column) if value in rare}


def _far(column: Sequence[float]) -> set[int]:
    """Return where a number lies far outside the rest, or steps off a regular course."""
    if not column:
        return set()
    size = len(column)
    ordered = sorted(column)
    low, high = ordered[size // 4], ordered[size * 3 // 4]
    reach = _FAR * (high - low)
    outside: set[int] = set()
    if not low - reach <= ordered[0] or not ordered[-1] <= high + reach:
        outside = {place for place, value in enumerate(column) if not low - reach <= value <= high + reach}
    # A step aside is two odd steps, in and out; the value itself stands after the first.
    steps: Sequence[float] = list(map(sub, column[1:], column))
    if isinstance(column[0], float):
        steps = [round(step, 6) for step in steps]
    odd = _rare(steps)
    return (outside if _are_few(len(outside), size) else set()) | {step + 1 for step in odd}


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
