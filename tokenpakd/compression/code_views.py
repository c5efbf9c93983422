"""Code without its comments, where the comments are worth the trouble.

Rules this file owns:
- Only whole lines of comment go, in runs worth more than the mark in their place. Code, docstrings and what follows
  code on its line stay verbatim, and so do line numbers: every anchor an editor quotes from code survives.
- What steers a tool, or the reader away from a mistake, is no mere comment and stays.
- A text whose comment sign cannot be told from its own lines stays.
"""

import re
from collections.abc import Sequence

from tokenpakd.compression.segments import Segment
from tokenpakd.tokens.estimate import estimate

_LEAST_CHARS = 400
_LEAST_GAIN_TOKENS = 5
_LEAST_GAIN_SHARE = 0.05
_LEAST_RUN_GAIN_TOKENS = 12
_LEAST_RUN_TOKENS = _LEAST_RUN_GAIN_TOKENS + estimate("[1 comment line]")
_LEAST_EVIDENCE = 3

# Each begins with the end of the line before: text is passed over at the speed of a search for one character.
_NUMBERED = re.compile(r"\n {0,8}\d{1,7}(?:[\t:→|]| {1,2}(?=\S|\n))")
_HASH_CODE = re.compile(
    r"(?m)\n *+[^\S\n]*+(?:def |class |from [\w.]+ import |import \w|elif |except\b|fi$|done$|esac$|end$)"
)
_SLASH_ENDS = re.compile(r"\n(?<=[;{}]\n)")
_BLANK_ENDS = re.compile(r"\n(?<=[^\S\n]\n)")
_SLASH_AND_BLANK_ENDS = re.compile(r"[;{}][^\S\n]++\n")
_HASHED = re.compile(r"\n([^\n#]*+#[^\n]*+)")
_DIFF = re.compile(r"\n(?:diff --git |@@ -\d|--- a/)")
_STEERS = re.compile(
    r"#!|#\s*(?:type:|noqa|pragma|pylint|mypy|ruff|fmt:|isort|yapf|flake8|nosec|cython|-\*-|include\b|define\b|undef\b|if"
    r"|el(?:se|if)\b|endif\b|error\b|warning\b|line\b|region\b|endregion\b|\[)"
    r"|//\s*(?:go:|\+build|nolint|eslint|@ts-|prettier|tslint|clang-format|NOLINT|swiftlint|region\b|endregion\b|/\s*<)"
    r"|/\*\s*(?:eslint|prettier|global|istanbul|@)"
)
_WARNS = (
    *("TODO", "FIXME", "XXX", "HACK", "NOTE", "WARNING", "IMPORTANT", "DEPRECATED"),
    *("http://", "https://"),
)
_TRIPLE = ('"""', "'''")


def shorten(text: str, segment: Segment) -> str | None:
    """Return the code with runs of whole-line comments counted instead of shown; None when that is no clear gain."""
    if segment is not Segment.CODE or len(text) < _LEAST_CHARS:
        return None
    if "#" not in text and "//" not in text and "/*" not in text:
        return None
    code = f"\n{text}\n"
    if _DIFF.search(code):
        return None
    lines = text.split("\n")
    bare = lines
    if len(_NUMBERED.findall(code)) * 10 >= len(lines) * 9:
        code = _NUMBERED.sub("\n", code)
        bare = code[1:-1].split("\n")
    sign = _comment_sign(code)
    if sign is None:
        return None
    comments = _hash_comments(bare) if sign == "#" else _slash_comments(bare)
    shortened = _written(lines, bare, comments)
    if shortened is None:
        return None
    before, after = estimate(text), estimate(shortened)
    return shortened if before - after >= max(_LEAST_GAIN_TOKENS, _LEAST_GAIN_SHARE * before) else None


def _comment_sign(code: str) -> str | None:
    """Return what begins a comment, by what the lines look like. `code` begins and ends with a line's end."""
    hashes = len(_HASH_CODE.findall(code))
    slashes = len(_SLASH_ENDS.findall(code))
    if _BLANK_ENDS.search(code):
        slashes += len(_SLASH_AND_BLANK_ENDS.findall(code))
    # A line with a # is no evidence; all of them together may not matter.
    if slashes >= hashes and slashes - code.count("#") < max(hashes + 1, _LEAST_EVIDENCE):
        slashes -= sum(line.rstrip().endswith((";", "{", "}")) for line in _HASHED.findall(code))
    if max(hashes, slashes) < _LEAST_EVIDENCE or hashes == slashes:
        return None
    return "#" if hashes > slashes else "//"


def _hash_comments(bare: Sequence[str]) -> list[int]:
    """Return the places of lines that are nothing but a comment."""
    found: list[int] = []
    quote: str | None = None
    for index, line in enumerate(bare):
        if quote is None and "#" in line:
            body = line.strip()
            if body.startswith("#"):
                if not _stays(body):
                    found.append(index)
                continue
        if '"' not in line and "'" not in line:
            continue
        for mark in _TRIPLE if quote is None else (quote,):
            if line.count(mark) % 2:
                quote = mark if quote is None else None
                break
    return found


def _slash_comments(bare: Sequence[str]) -> list[int]:
    found: list[int] = []
    is_inside = is_template = False
    for index, line in enumerate(bare):
        if is_inside:
            is_inside = "*/" not in line
            # Code may follow the end of a comment.
            if is_inside or line.rstrip().endswith("*/"):
                found.append(index)
        elif is_template:
            is_template = line.count("`") % 2 == 0
        elif "/" in line and (body := line.strip()).startswith(("//", "/*")):
            is_inside = body.startswith("/*") and "*/" not in body
            is_whole = is_inside or body.startswith("//") or body.find("*/") == len(body) - 2
            if is_whole and not _stays(body):
                found.append(index)
        elif "`" in line:
            is_template = line.count("`") % 2 == 1
    return found


def _stays(comment: str) -> bool:
    return _STEERS.match(comment) is not None or any(map(comment.__contains__, _WARNS))


def _written(lines: Sequence[str], bare: Sequence[str], comments: Sequence[int]) -> str | None:
    """Return the lines with each run of comments as one line; None when no run is worth it."""
    out: list[str] = []
    done = at = 0
    while at < len(comments):
        first = at
        start = end = comments[at]
        while end < len(lines):
            if at < len(comments) and comments[at] == end:
                at += 1
            elif bare[end].strip():
                break
            end += 1
        tokens = estimate("\n".join(lines[start:end]))
        if tokens < _LEAST_RUN_TOKENS:
            continue
        mark = f"[{at - first} comment line{'s' * (at - first != 1)}]"
        if tokens >= estimate(mark) + _LEAST_RUN_GAIN_TOKENS:
            # The blank lines that close a run part what follows from what went before.
            kept = end - 1 if not bare[end - 1].strip() else end
            out += (*lines[done:start], mark, *lines[kept:end])
            done = end
    return "\n".join((*out, *lines[done:])) if done else None
