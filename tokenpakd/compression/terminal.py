"""Tool output as a terminal would finally show it: no colours, no overwritten progress, no invisible blanks.

Rules of this file:
- Files as reading tools show them, and what a search found in them, lose colours only: their blanks are what an
  editor will have to quote. Diffs, JSON and protected text lose nothing.
- Where the cursor leaves its line nobody guesses what the screen looked like: only colours go.
- A line that is printed again and again is printed once, with a count, and can be told back exactly.
"""

import re
from itertools import islice, pairwise
from operator import eq

from tokenpakd.compression.segments import Segment
from tokenpakd.tokens.estimate import estimate, estimate_closely

_UNTOUCHED = frozenset((Segment.DIFF, Segment.JSON, Segment.PROTECTED))
_ONLY_COLOURS = frozenset((Segment.FILE_VIEW, Segment.CODE, Segment.CONFIG, Segment.SEARCH, Segment.NARRATIVE))

_MIN_GAIN_TOKENS = 5
_NOTE_TOKENS = 8
_MARK = " more times]"
_NOTE = re.compile(r"\[line above (\d{1,9}) more times\]")

_ESC = "\x1b"
_COLOUR = re.compile(r"\x1b\[[\d;:]*m")
# Titles, links, character sets, modes: nothing of them is seen on a line.
_UNSEEN = re.compile(r"\x1b(?:\[[\d;:]*m|\[[?>=][\d;]*[hl]|\][^\x07\x1b\n]{0,2048}(?:\x07|\x1b\\)|[()][0-9AB]|[=>])")
# A sequence that the end of the text cut off stays as it is.
_HALF = re.compile(r"\x1b(?:\[[\d;:?]*|\][^\x07\x1b\n]{0,64}|[()])?\Z")
_TO_COLUMN_1 = re.compile(r"\x1b\[[01]?G")
_IN_LINE = re.compile(r"\x1b\[[02]?K")
_STEPS = re.compile(r"\r|\x08+|\x1b\[[02]?K|(?:[^\r\x08\x1b]|\x1b(?!\[[02]?K))+")
_EMPTY_LINES = re.compile(r"\n{5,}")


def shorten(text: str, segment: Segment) -> str | None:
    """Return what is finally seen, repeated lines counted; None where that gains nothing."""
    if segment in _UNTOUCHED:
        return None
    seen = render(text, segment)
    if _ESC in seen and render(seen, segment) != seen:
        return None  # what was left made up a new sequence
    if segment in _ONLY_COLOURS:
        shorter = seen
    elif _MARK in seen:
        return None
    else:
        shorter = _counted(seen)
    if len(shorter) >= len(text) or estimate(text) - estimate(shorter) < _MIN_GAIN_TOKENS:
        return None
    return shorter if shorter == seen or restore(shorter) == seen else None


def restore(text: str) -> str:
    """Return what `shorten` counted, line for line: the result of `render`."""
    if _MARK not in text:
        return text
    lines: list[str] = []
    for line in text.split("\n"):
        said = _NOTE.fullmatch(line) if lines else None
        if said is None:
            lines.append(line)
        else:
            lines += [lines[-1]] * int(said[1])
    return "\n".join(lines)


def render(text: str, segment: Segment) -> str:
    """Return what a terminal finally shows, without blanks nobody sees; the same object where that is the text."""
    if segment in _ONLY_COLOURS:
        return _COLOUR.sub("", text) if _ESC in text else text
    if _ESC in text:
        plain = _UNSEEN.sub("", text)
        if _moves_away(plain):
            return _COLOUR.sub("", text)
        text = _TO_COLUMN_1.sub("\r", plain)
    if "\r" in text or "\x08" in text or _ESC in text:
        text = "\n".join([_overwritten(line) for line in text.split("\n")])
    if " \n" in text or "\t\n" in text or text[-1:] in (" ", "\t"):
        text = "\n".join([line.rstrip(" \t") for line in text.split("\n")])
    return _EMPTY_LINES.sub("\n\n\n", text) if "\n\n\n\n\n" in text else text


def _moves_away(plain: str) -> bool:
    """Whether sequences are left that do more than write their line anew."""
    rest = _HALF.sub("", _IN_LINE.sub("", _TO_COLUMN_1.sub("", plain))) if _ESC in plain else plain
    return _ESC in rest


def _overwritten(line: str) -> str:
    """Return a line's final state. Each step costs what it writes."""
    if "\r" not in line and "\x08" not in line and _ESC not in line:
        return line
    if line.find("\r") == len(line) - 1 and "\x08" not in line and _ESC not in line:
        return line[:-1]
    cells: list[str] = []
    at = 0
    for step in _STEPS.findall(line):
        first = step[0]
        if first == "\r":
            at = 0
        elif first == "\x08":
            at = max(0, at - len(step))
        elif first == _ESC and step[-1] == "K" and _IN_LINE.fullmatch(step):
            if step[-2] == "2":
                at = 0  # the whole line; what is written next need not be indented by blanks
            del cells[at:]
        elif len(step) == 1 and at < len(cells):
            cells[at] = step
            at += 1
        else:
            cells[at : at + len(step)] = step
            at += len(step)
    return "".join(cells)


def _counted(text: str) -> str:
    """Return the text with a count for each line that comes several times in a row, where that is shorter."""
    lines = text.split("\n")
    if not any(map(eq, lines, islice(lines, 1, None))):
        return text
    same = [at for at, (line, following) in enumerate(pairwise(lines)) if line == following and line]
    if len(same) < 2:
        return text
    parts: list[str] = []
    done = 0
    index = 0
    while index < len(same):
        first = same[index]
        until = first
        while index < len(same) and same[index] == until:
            until += 1
            index += 1
        more = until - first
        if more < 2 or estimate_closely(lines[first]) * more - _NOTE_TOKENS < _MIN_GAIN_TOKENS:
            continue
        parts += lines[done : first + 1]
        parts.append(f"[line above {more} more times]")
        done = until + 1
    parts += lines[done:]
    return "\n".join(parts)
