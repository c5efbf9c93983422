"""Code without its comments, where the comments are worth the trouble.

Rules this file owns:
- Only whole lines of comment go, in runs worth more than the mark in their place. Code, docstrings and what follows
  code on its line stay verbatim, and so do line numbers: every anchor an editor quotes from code survives.
- What steers a tool, or the reader away from a mistake, is no mere comment and stays.
- A text whose comment sign cannot be told from its own lines stays.
"""

import re
from collections.abc import Iterator, Sequence

from tokenpakd.compression.segments import Segment
from tokenpakd.tokens.estimate import estimate

_LEAST_CHARS = 400
_LEAST_GAIN_TOKENS = 5
_LEAST_GAIN_SHARE = 0.05
_LEAST_RUN_GAIN_TOKENS = 12
_LEAST_EVIDENCE = 3

_NUMBERED = re.compile(r"^ {0,8}\d{1,7}(?:[\t:→|]| {1,2}(?=\S|$))")
_HASH_CODE = re.compile(
    r"^[^\S\n]*(?:def |class |from [\w.]+ import |import \w|elif |except\b|fi$|done$|esac$|end$)", re.MULTILINE
)
_SLASH_CODE = re.compile(r"^[^\n#]*[;{}][^\S\n]*$", re.MULTILINE)
_DIFF = re.compile(r"^(?:diff --git |@@ -\d|--- a/)", re.MULTILINE)
_STAYS = re.compile(
    r"#!|#\s*(?:type:|noqa|pragma|pylint|mypy|ruff|fmt:|isort|yapf|flake8|nosec|cython|-\*-|include\b|define\b|undef\b|if"
    r"|el(?:se|if)\b|endif\b|error\b|warning\b|line\b|region\b|endregion\b|\[)"
    r"|//\s*(?:go:|\+build|nolint|eslint|@ts-|prettier|tslint|clang-format|NOLINT|swiftlint|region\b|endregion\b|/\s*<)"
    r"|/\*\s*(?:eslint|prettier|global|istanbul|@)"
    r"|.*(?:TODO|FIXME|XXX|HACK|NOTE|WARNING|IMPORTANT|DEPRECATED|https?://)"
)
_TRIPLE = ('"""', "'''")


def shorten(text: str, segment: Segment) -> str | None:
    """Return the code with runs of whole-line comments counted instead of shown; None when that is no clear gain."""
    if segment is not Segment.CODE or len(text) < _LEAST_CHARS or _DIFF.search(text):
        return None
    lines = text.split("\n")
    bare = _unnumbered(lines)
    sign = _comment_sign(bare)
    if sign is None:
        return None
    is_comment = list(_hash_comments(bare) if sign == "#" else _slash_comments(bare))
    shortened = _written(lines, bare, is_comment)
    if shortened is None:
        return None
    before, after = estimate(text), estimate(shortened)
    return shortened if before - after >= max(_LEAST_GAIN_TOKENS, _LEAST_GAIN_SHARE * before) else None


def _unnumbered(lines: Sequence[str]) -> list[str]:
    """Return the lines without the numbers of a numbered view; as they are when it is none."""
    matches = [_NUMBERED.match(line) for line in lines]
    if sum(match is not None for match in matches) * 10 < len(lines) * 9:
        return list(lines)
    return [line if match is None else line[match.end() :] for line, match in zip(lines, matches, strict=True)]


def _comment_sign(bare: Sequence[str]) -> str | None:
    text = "\n".join(bare)
    hashes, slashes = len(_HASH_CODE.findall(text)), len(_SLASH_CODE.findall(text))
    if max(hashes, slashes) < _LEAST_EVIDENCE or hashes == slashes:
        return None
    return "#" if hashes > slashes else "//"


def _hash_comments(bare: Sequence[str]) -> Iterator[bool]:
    quote: str | None = None
    for line in bare:
        body = line.strip()
        yield quote is None and body.startswith("#") and _STAYS.match(body) is None
        if quote is None and body.startswith("#"):
            continue
        for mark in _TRIPLE if quote is None else (quote,):
            if line.count(mark) % 2:
                quote = mark if quote is None else None
                break


def _slash_comments(bare: Sequence[str]) -> Iterator[bool]:
    is_inside = is_template = False
    for line in bare:
        body = line.strip()
        if is_inside:
            is_inside = "*/" not in body
            # Code may follow the end of a comment.
            yield is_inside or body.endswith("*/")
        elif is_template:
            yield False
            is_template = line.count("`") % 2 == 0
        elif body.startswith("/*"):
            is_inside = "*/" not in body
            is_mere = _STAYS.match(body) is None
            yield is_mere and (is_inside or body.find("*/") == len(body) - 2)
        else:
            is_comment = body.startswith("//")
            yield is_comment and _STAYS.match(body) is None
            is_template = not is_comment and line.count("`") % 2 == 1


def _written(lines: Sequence[str], bare: Sequence[str], is_comment: Sequence[bool]) -> str | None:
    out: list[str] = []
    run: list[int] = []
    gained = False
    for index in range(len(lines) + 1):
        if index < len(lines) and (is_comment[index] or (run and not bare[index].strip())):
            run.append(index)
            continue
        if run:
            count = sum(is_comment[place] for place in run)
            mark = f"[{count} comment line{'s' * (count != 1)}]"
            # The blank lines that close a run part what follows from what went before.
            blanks = 1 if not bare[run[-1]].strip() else 0
            gone = "\n".join(lines[place] for place in run)
            is_worth = estimate(gone) >= estimate(mark) + _LEAST_RUN_GAIN_TOKENS
            out += [mark, *(lines[run[-1]] for _ in range(blanks))] if is_worth else [lines[place] for place in run]
            gained = gained or is_worth
            run = []
        if index < len(lines):
            out.append(lines[index])
    return "\n".join(out) if gained else None
