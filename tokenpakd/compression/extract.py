"""Pasted prose without the sentences that say nothing of their own.

Rules this file owns:
- Whole sentences, in order, at least seven tenths of the tokens kept, and no question decides: a sentence goes only
  when each of its content words stands in two other sentences that stay.
- Numbers, names, quotes, negations, code and anything that is no running text (headings, lists, tables, quotations,
  fences) are pinned.
"""

import re
from collections import Counter
from collections.abc import Sequence

import msgspec

from tokenpakd.compression.segments import Segment
from tokenpakd.tokens.estimate import estimate

_LEAST_CHARS = 2_000
_LEAST_TOKENS = 1_000
_MOST_CUT_SHARE = 0.3
_LEAST_GAIN_TOKENS = 25
_LEAST_GAIN_SHARE = 0.05
_LEAST_OTHERS = 2
_LEAST_SENTENCE_TOKENS = 10
_LEAST_PARAGRAPH_CHARS = 80
_LEAST_SENTENCE_CHARS = 25
"""On average: a paragraph of shorter ones is no prose."""

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(\[])")
_PARAGRAPH_EDGE = re.compile(r"(\n[^\S\n]*\n\s*)")
_PINNED_PARAGRAPH = re.compile(
    r"^(?:\s{0,8}(?:[-*+•>#|]|\d{1,3}[.)]|```|~~~|\[)|\s{4}|\t)|[=\-~_*]{3}\s*$|```|~~~", re.MULTILINE
)
_TELLING = re.compile(r"[\d\"“”«»„`'’()\[\]{}<>_=\\/@#$%^*|~:]")
# fmt: off
_NEGATIONS = frozenset(
    (
        "no", "not", "never", "none", "nothing", "nobody", "neither", "nor", "without", "cannot",
        "must", "except", "unless", "only", "but", "however", "instead",
    )
)
# fmt: on
_WORD = re.compile(r"[^\W\d_]+")
_LEAST_WORD_CHARS = 4
_MARK = re.compile(r"\[\d+ sentences? left out\]")


class _Sentence(msgspec.Struct, gc=False):
    text: str
    words: frozenset[str]
    is_pinned: bool
    is_kept: bool = True


def shorten(text: str, segment: Segment) -> str | None:
    """Return the prose without sentences whose every word stands elsewhere in it; None when that is no clear gain."""
    if segment is not Segment.NARRATIVE or len(text) < _LEAST_CHARS or _MARK.search(text):
        return None
    before = estimate(text)
    if before <= _LEAST_TOKENS:
        return None
    parts = _PARAGRAPH_EDGE.split(text)
    paragraphs = {at: _sentences(part) for at, part in enumerate(parts) if len(part) >= _LEAST_PARAGRAPH_CHARS}
    _choose([sentence for paragraph in paragraphs.values() for sentence in paragraph], int(before * _MOST_CUT_SHARE))
    for at, paragraph in paragraphs.items():
        parts[at] = _written(paragraph)
    shortened = "".join(parts)
    after = estimate(shortened)
    return shortened if before - after >= max(_LEAST_GAIN_TOKENS, _LEAST_GAIN_SHARE * before) else None


def _sentences(paragraph: str) -> list[_Sentence]:
    """Return a paragraph's sentences, each with the blanks behind it."""
    is_pinned = _PINNED_PARAGRAPH.search(paragraph) is not None
    edges = [] if is_pinned else [match.end() for match in _SENTENCE_END.finditer(paragraph)]
    if len(edges) * _LEAST_SENTENCE_CHARS > len(paragraph):
        is_pinned, edges = True, []
    return [
        _sentence(paragraph[start:end], is_pinned)
        for start, end in zip((0, *edges), (*edges, len(paragraph)), strict=True)
    ]


def _sentence(text: str, is_pinned: bool) -> _Sentence:
    body = text.strip()
    rest = body[1:]
    lowered = rest.lower()
    words = set(_WORD.findall(body[:1].lower() + lowered))
    return _Sentence(
        text,
        frozenset([word for word in words if len(word) >= _LEAST_WORD_CHARS]),
        is_pinned
        or rest != lowered  # a name, or an abbreviation
        or not rest.endswith((".", "!"))
        or "." in rest[:-1]
        or _TELLING.search(body) is not None
        or not words.isdisjoint(_NEGATIONS),
    )


def _choose(sentences: Sequence[_Sentence], budget_tokens: int) -> None:
    """Mark what goes, from the front, as long as each word of it stands in two sentences that stay."""
    standing = Counter(word for sentence in sentences for word in sentence.words)
    for sentence in sentences:
        if budget_tokens < _LEAST_SENTENCE_TOKENS:
            break
        if sentence.is_pinned or not sentence.words:
            continue
        if any(standing[word] <= _LEAST_OTHERS for word in sentence.words):
            continue
        tokens = estimate(sentence.text)
        if tokens < _LEAST_SENTENCE_TOKENS or tokens > budget_tokens:
            continue
        budget_tokens -= tokens
        sentence.is_kept = False
        standing.subtract(sentence.words)


def _written(paragraph: Sequence[_Sentence]) -> str:
    out: list[str] = []
    gone: list[_Sentence] = []
    for sentence in (*paragraph, None):
        if sentence is not None and not sentence.is_kept:
            gone.append(sentence)
            continue
        if gone:
            last = gone[-1].text
            mark = f"[{len(gone)} sentence{'s' * (len(gone) != 1)} left out]"
            out.append(mark + last[len(last.rstrip()) :])
            gone = []
        if sentence is not None:
            out.append(sentence.text)
    return "".join(out)
