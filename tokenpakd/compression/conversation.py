"""What the engine remembers of one conversation: the last request, what became of its spans, what may be pointed at.

In memory only. Everything in it can be made again from a request's bytes: it saves time, it decides nothing.
"""

import msgspec

from tokenpakd.compression.lines import LineIndex
from tokenpakd.compression.segments import Segment
from tokenpakd.compression.values import ValueIndex
from tokenpakd.compression.wholes import WholeIndex
from tokenpakd.exchange.request import Look, Span, SpanKind

_BYTES_PER_TEXT_BYTE = 2
_BYTES_PER_LINE = 140
_BYTES_PER_SPAN = 400
_BYTES_PER_VALUE = 380
"""Measured on source code, columns of numbers, JSON and smileys: lines as objects of their own, and the tables they
stand in. Half as much or twice as much is meant by "about"."""
_FOLDING = frozenset(("lines", "wholes"))
_OF_FOUR_BYTES = (b"\xf0", b"\\ud8")
"""One such character, and every other of its text takes as much room."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a conversation is pinned to. `masked_spans`: results before that span are masked, as once decided."""

    compressors: str
    min_cacheable_tokens: int = 1024
    masked_spans: int = 0


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What became of one span: the literal that takes its place, or None with the reason why it stays."""

    literal: bytes | None
    segment: Segment
    by: tuple[str, ...]
    why: str
    tokens_before: int
    tokens_after: int


class Conversation:
    """Grows with each request. Not for use by two requests at once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.body = b""
        self.look: Look | None = None
        self.spans: list[Span] = []
        self.verdicts: list[Verdict] = []
        self.removed_bytes = 0
        self.cacheable_from = 0
        self.cut: dict[str, int] = {}
        """Names of files that were shown with parts left out, and the span that was the first to."""
        self.at_unix_ms = 0
        self.raw_tokens = 0
        self.lines = LineIndex()
        self.wholes = WholeIndex()
        self.values = ValueIndex()
        self._marks: list[tuple[int, int, int, tuple[int, int], int]] = []
        self._text_bytes = 0

    @property
    def size_bytes(self) -> int:
        """About how much memory this takes."""
        indexed = _BYTES_PER_TEXT_BYTE * self._text_bytes + _BYTES_PER_LINE * len(self.lines)
        indexed += _BYTES_PER_VALUE * self.values.entries
        return len(self.body) + indexed + _BYTES_PER_SPAN * len(self.spans)

    def begin_span(self) -> None:
        """Note where everything stands before a span is decided."""
        indexes = self.lines.mark(), self.wholes.mark(), self.values.mark()
        self._marks.append((self.removed_bytes, self._text_bytes, *indexes))

    def end_span(self, span: Span, verdict: Verdict, literal: bytes) -> None:
        """Keep what became of the span, `literal` in the body."""
        self.spans.append(span)
        self.verdicts.append(verdict)
        is_folded = verdict.literal is not None and not _FOLDING.isdisjoint(verdict.by)  # what goes is not remembered
        self._text_bytes += len(verdict.literal or b"" if is_folded else literal) * _breadth(literal)
        if verdict.literal is not None:
            self.removed_bytes += span.end - span.start - len(verdict.literal)

    def rewind(self, count: int) -> None:
        """Forget all but the first `count` spans."""
        if count >= len(self.spans):
            return
        self.removed_bytes, self._text_bytes, lines, wholes, values = self._marks[count]
        self.lines.rollback(lines)
        self.wholes.rollback(wholes)
        self.values.rollback(values)
        self.cut = {name: at for name, at in self.cut.items() if at < count}
        del self.spans[count:], self.verdicts[count:], self._marks[count:]

    def shared(self, body: bytes, look: Look) -> int:
        """Return how many of a request's first spans are the last one's, byte for byte and call for call."""
        before = self.body
        count = 0
        for old, new in zip(self.spans, look.spans, strict=False):
            if (
                before[old.start : old.end] != body[new.start : new.end]
                or old.kind is not new.kind
                or old.call != new.call
                or old.is_protected != new.is_protected
                or (old.is_whole != new.is_whole and new.kind is SpanKind.TOOL_RESULT)
            ):
                break
            count += 1
        return count

    def fits(self, look: Look, settings: Settings) -> bool:
        """Say whether what was decided holds for a request."""
        return settings == self.settings and self.look is not None and look.dialect is self.look.dialect

    def adopt(self, body: bytes, look: Look) -> None:
        """Take a request as the last one; its first spans are those that were kept."""
        self.body, self.look = body, look
        self.spans = list(look.spans)


def _breadth(literal: bytes) -> int:
    """Return how many bytes a character of a text takes in memory, at the most."""
    if any(sign in literal for sign in _OF_FOUR_BYTES):
        return 4
    return 1 if literal.isascii() and b"\\u" not in literal else 2
