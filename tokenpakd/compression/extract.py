"""Pasted prose without the sentences that say nothing of their own.

Rules this file owns:
- Whole sentences, in order, at least seven tenths of the tokens kept, and no question decides: a sentence goes only
  when each of its content words stands in two other sentences that stay.
- Numbers, names, quotes, negations, code and anything that is no running text (headings, lists, tables, quotations,
  fences) are pinned. What stands in a client's own tags, reminders and commands, is no pasted document.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain

import msgspec

from tokenpakd.compression.segments import Segment
from tokenpakd.tokens.estimate import estimate

_LEAST_CHARS = 2_000
_PASTED_CHARS = 16_000
"""Some 4,000 tokens: a user's own long prompt is shorter, and stays whole."""
_LEAST_TOKENS = 1_000
_MOST_CUT_SHARE = 0.3
_LEAST_GAIN_TOKENS = 25
_LEAST_GAIN_SHARE = 0.05
_LEAST_OTHERS = 2
_LEAST_SENTENCE_TOKENS = 10
_LEAST_PARAGRAPH_CHARS = 80
_LEAST_SENTENCE_CHARS = 25
"""On average: a paragraph of shorter ones is no prose."""

_SENTENCE_END = re.compile(r"[.!?]\s++(?=[A-Z\"'(\[])")
_PARAGRAPH_EDGE = re.compile(r"(\n[^\S\n]*+\n\s*+)")
_PINNED_LINE = r"(?:\s{0,8}(?:[-*+•>#|]|\d{1,3}[.)]|```|~~~|\[)|\s{4}|\t)"
_PINNED_FIRST_LINE = re.compile(_PINNED_LINE)
_PINNED_OTHER_LINE = re.compile(f"\n{_PINNED_LINE}")
_RULE_MARKS = bytes(0x2D if chr(code) in "=-~_*" else code for code in range(256))
_RULE = re.compile(r"[=\-~_*]{3}[^\S\n]*+(?:\n|\Z)")
_TELLING = re.compile(r"[\d\"“”«»„`'’()\[\]{}<>_=\\/@#$%^*|~:]")
# fmt: off
_NEGATIONS = frozenset(
    (
        b"no", b"not", b"never", b"none", b"nothing", b"nobody", b"neither", b"nor", b"without", b"cannot",
        b"must", b"except", b"unless", b"only", b"but", b"however", b"instead",
    )
)
# fmt: on
_WORD = re.compile(r"[^\W\d_]+")
_LEAST_WORD_CHARS = 4
_LETTERS = bytes(code | 0x20 if code < 0x80 and chr(code).isalpha() else 0x20 for code in range(256))
"""What ASCII becomes: letters in lower case, blanks for the rest."""
_ASCII = bytes(range(0x80))
# What a client tells the model itself: reminders, commands, skills.
_TAGGED = re.compile(r"\s*+(?:<[a-z][\w-]*+>|Base directory for this skill:)")
_MARK = re.compile(r"\[\d+ sentences? left out\]")


class _Sentence(msgspec.Struct, frozen=True, gc=False):
    """Where a sentence stands, with the blanks behind it."""

    start: int
    end: int
    is_pinned: bool


def shorten(text: str, segment: Segment) -> str | None:
    """Return the prose without sentences whose every word stands elsewhere in it; None when that is no clear gain."""
    if segment is not Segment.NARRATIVE or len(text) < _LEAST_CHARS or _MARK.search(text) or _TAGGED.match(text):
        return None
    before = estimate(text)
    if before <= _LEAST_TOKENS:
        return None
    least = max(_LEAST_GAIN_TOKENS, _LEAST_GAIN_SHARE * before)
    sentences = _sentences(text)
    loose = "".join([text[sentence.start : sentence.end] for sentence in sentences if not sentence.is_pinned])
    if estimate(loose) < least:  # most texts are full of names and numbers
        return None
    gone = _chosen(text, sentences, int(before * _MOST_CUT_SHARE))
    if not gone:
        return None
    shortened = _without(text, gone)
    return shortened if before - estimate(shortened) >= least else None


def shorten_pasted(text: str, segment: Segment) -> str | None:
    """Return the same of what a user sent, where it is so long that nobody typed it."""
    return shorten(text, segment) if len(text) >= _PASTED_CHARS else None


def _sentences(text: str) -> list[_Sentence]:
    found: list[_Sentence] = []
    marks = text.encode("ascii", "replace").translate(_RULE_MARKS)
    start = 0
    for edge in _PARAGRAPH_EDGE.finditer(text):
        found += _sentences_of(text, marks, start, edge.start())
        start = edge.end()
    found += _sentences_of(text, marks, start, len(text))
    return found


def _sentences_of(text: str, marks: bytes, start: int, end: int) -> list[_Sentence]:
    """Return the sentences of a paragraph; all of it as one where it is no running text, none of a short one."""
    if end - start < _LEAST_PARAGRAPH_CHARS:
        return []
    if _is_pinned(text, marks, start, end):
        return [_Sentence(start, end, True)]
    edges = [match.end() for match in _SENTENCE_END.finditer(text, start, end)]
    if len(edges) * _LEAST_SENTENCE_CHARS > end - start:
        return [_Sentence(start, end, True)]
    starts, ends = (start, *edges), (*edges, end)
    return [_Sentence(at, to, _is_telling(text[at:to])) for at, to in zip(starts, ends, strict=True)]


def _is_pinned(text: str, marks: bytes, start: int, end: int) -> bool:
    return (
        _PINNED_FIRST_LINE.match(text, start, end) is not None
        or _PINNED_OTHER_LINE.search(text, start, end) is not None
        or (marks.find(b"---", start, end) >= 0 and _RULE.search(text, start, end) is not None)
        or text.find("```", start, end) >= 0
        or text.find("~~~", start, end) >= 0
    )


def _is_telling(sentence: str) -> bool:
    body = sentence.strip()
    rest = body[1:]
    return (
        not rest.endswith((".", "!"))
        or rest != rest.lower()  # a name, or an abbreviation
        or rest.find(".", 0, len(rest) - 1) >= 0
        or _TELLING.search(body) is not None
    )


def _chosen(text: str, sentences: Sequence[_Sentence], budget_tokens: int) -> list[_Sentence]:
    """Return what goes, from the front, as long as each word of it stands in two sentences that stay."""
    letters = text.encode("ascii", "replace").translate(_LETTERS)
    is_latin = _is_latin(text)
    words = [
        frozenset(letters[sentence.start : sentence.end].split())
        if is_latin or text[sentence.start : sentence.end].isascii()
        else _words(text[sentence.start : sentence.end].strip())
        for sentence in sentences
    ]
    standing = Counter(chain.from_iterable(words))
    rare = {word for word, count in standing.items() if count <= _LEAST_OTHERS and len(word) >= _LEAST_WORD_CHARS}
    gone: list[_Sentence] = []
    for sentence, own in zip(sentences, words, strict=True):
        if budget_tokens < _LEAST_SENTENCE_TOKENS:
            break
        if sentence.is_pinned or not own.isdisjoint(rare) or not own.isdisjoint(_NEGATIONS):
            continue
        content = [word for word in own if len(word) >= _LEAST_WORD_CHARS]
        tokens = estimate(text[sentence.start : sentence.end])
        if not content or tokens < _LEAST_SENTENCE_TOKENS or tokens > budget_tokens:
            continue
        budget_tokens -= tokens
        gone.append(sentence)
        standing.subtract(content)
        rare.update([word for word in content if standing[word] <= _LEAST_OTHERS])
    return gone


def _is_latin(text: str) -> bool:
    """Tell a text whose words are all of ASCII letters; dashes and quotes may be of any kind."""
    if text.isascii():
        return True
    beyond = set(text.encode("utf-8", "surrogatepass").translate(None, _ASCII).decode("utf-8", "surrogatepass"))
    return not any(char.isalnum() or char.lower().isalnum() for char in beyond)


def _words(body: str) -> frozenset[bytes]:
    """Return a sentence's words. Short ones are there if they are ASCII: some of them negate."""
    found = _WORD.findall(body[:1].lower() + body[1:].lower())
    return frozenset([word.encode() for word in found if len(word) >= _LEAST_WORD_CHARS or word.isascii()])


def _without(text: str, gone: Sequence[_Sentence]) -> str:
    out: list[str] = []
    done = index = 0
    while index < len(gone):
        first = index
        index += 1
        while index < len(gone) and gone[index].start == gone[index - 1].end:
            index += 1
        last = text[gone[index - 1].start : gone[index - 1].end]
        mark = f"[{index - first} sentence{'s' * (index - first != 1)} left out]"
        out += (text[done : gone[first].start], mark, last[len(last.rstrip()) :])
        done = gone[index - 1].end
    return "".join((*out, text[done:]))
