"""The middle of lines nobody reads: minified code, base64, generated blobs.

Rules this file owns:
- A line is dense when it is long, hardly has a blank and is written in ASCII; long lines of a script without blanks
  between words are prose and stay. JSON has a compressor of its own; rows of a table and printed lists stay.
- Paths and addresses among what is cut are named; a line that is largely made of them is a list and stays.
"""

import re
from collections import Counter
from collections.abc import Sequence

import msgspec

from tokenpakd.compression.segments import Segment
from tokenpakd.tokens.estimate import estimate

_LEFT_ALONE = frozenset((Segment.PROTECTED, Segment.DIFF, Segment.JSON))
_LEAST_TEXT_CHARS = 2_000
_LEAST_LINE_CHARS = 300
_MOST_BLANK_SHARE = 0.06
_MOST_BEYOND_ASCII_SHARE = 0.1
_HEAD_CHARS = 160
_TAIL_CHARS = 80
_SNAP_CHARS = 40
_MOST_NAMED_SHARE = 0.2
_LEAST_ROWS = 3
_LEAST_ITEMS = 8
_MOST_BLANK_ELSEWHERE_SHARE = 0.5
_LEAST_GAIN_TOKENS = 5
_LEAST_GAIN_SHARE = 0.05

_NAMED = re.compile(
    r"https?://[\w.~:/?#@!$&*+=%-]{4,200}"
    r"|(?<![\w./+=@~-])[.~]{0,2}/?(?:[\w@.-]{1,64}/){1,12}[\w@.-]{1,64}\.[a-z]{1,4}(?![\w/+=])"
)
_MARK = re.compile(r"\[\d+ chars cut")
_JSON_BEGIN = re.compile(r'\s{0,40}+(?:[\w./-]{1,400}+:\d+:)?\s{0,40}+(?:data: )?(?:\{\s{0,40}+"|\[\s{0,40}+[\[{"\d-])')
_DELIMITERS = ",;\t|"


def shorten(text: str, segment: Segment) -> str | None:
    """Return the text with dense lines cut to their ends; None when that is no clear gain."""
    if segment in _LEFT_ALONE or len(text) < _LEAST_TEXT_CHARS:
        return None
    if not _has_long_line(text):
        return None
    lines = text.split("\n")
    dense = [index for index, line in enumerate(lines) if len(line) >= _LEAST_LINE_CHARS and _is_dense(line)]
    if not dense:
        return None
    rows = _table_rows([lines[index] for index in dense])
    cut = False
    for index, is_row in zip(dense, rows, strict=True):
        short = None if is_row else _cut(lines[index])
        if short is not None:
            lines[index] = short
            cut = True
    if not cut:
        return None
    shortened = "\n".join(lines)
    before, after = estimate(text), estimate(shortened)
    return shortened if before - after >= max(_LEAST_GAIN_TOKENS, _LEAST_GAIN_SHARE * before) else None


def _has_long_line(text: str) -> bool:
    """Tell by looking at every 300 characters or so."""
    start = 0
    while start + _LEAST_LINE_CHARS <= len(text):
        end = text.rfind("\n", start, start + _LEAST_LINE_CHARS)
        if end < 0:
            return True
        start = end + 1
    return False


def _is_dense(line: str) -> bool:
    blanks = line.count(" ") + line.count("\t")
    if blanks >= _MOST_BLANK_SHARE * len(line):
        return False
    if not line.isascii():
        beyond = len(line) - len(line.encode("ascii", "ignore"))
        if beyond > _MOST_BEYOND_ASCII_SHARE * len(line):
            return False
    if line.count(", ") >= max(_LEAST_ITEMS, _MOST_BLANK_ELSEWHERE_SHARE * blanks):
        return False
    return not _is_json(line) and _MARK.search(line) is None


def _is_json(line: str) -> bool:
    """Tell JSON, also as a row of a list or cut off, so that nothing half of it is left."""
    if _JSON_BEGIN.match(line):
        return True
    if not line.lstrip().startswith(("{", "[", '"')):
        return False
    try:
        msgspec.json.decode(line.strip().rstrip(","))
    except (ValueError, RecursionError):
        return False
    return True


def _table_rows(lines: Sequence[str]) -> list[bool]:
    """Tell rows of one table: at least three lines with the same delimiters, and many of them."""
    forms = [tuple(line.count(mark) for mark in _DELIMITERS) for line in lines]
    counts = Counter(forms)
    return [max(form) >= _LEAST_ROWS and counts[form] >= _LEAST_ROWS for form in forms]


def _cut(line: str) -> str | None:
    head = _snapped(line, _HEAD_CHARS, -1)
    tail = _snapped(line, len(line) - _TAIL_CHARS, 1)
    # Names are sought in the whole line, so that one across an edge is named too.
    names: dict[str, None] = {}
    for match in _NAMED.finditer(line) if "/" in line else ():
        if match.end() > head and match.start() < tail:
            names.setdefault(match.group())
    kept = " ".join(name for name in names if name not in line[:head] and name not in line[tail:])
    if len(kept) > _MOST_NAMED_SHARE * (tail - head):
        return None
    mark = f"[{tail - head} chars cut{', among them ' if kept else ''}{kept}]"
    short = f"{line[:head]}{mark}{line[tail:]}"
    return short if len(short) < len(line) else None


def _snapped(line: str, place: int, step: int) -> int:
    """Return the nearest place outward that splits no word; the place itself in a word without end."""
    at = place
    for _ in range(_SNAP_CHARS):
        if not (_is_of_word(line[at - 1]) and _is_of_word(line[at])):
            return at
        at += step
    return place


def _is_of_word(char: str) -> bool:
    return char.isalnum() or char in "_./-"
