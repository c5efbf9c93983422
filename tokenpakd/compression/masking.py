"""When old tool results may give way: it rewrites what was sent, so it must be free or pay for itself.

A cached prefix that is broken has to be written again. So a conversation's mask is raised only where the provider has
let its entries go, where nothing is cached at all, or where what is no longer read back outweighs the new writing,
with the conversation expected to last half as long again. One raise takes in all that is old enough, and the next one
waits for 20 calls' results more, however near the figures are to the line.
"""

from collections.abc import Sequence

import msgspec

from tokenpakd.compression import naming
from tokenpakd.compression.conversation import Conversation, Verdict
from tokenpakd.compression.segments import Segment
from tokenpakd.config.cache_terms import CacheTerms
from tokenpakd.exchange.request import DialectName, Look, Span, SpanKind
from tokenpakd.tokens.estimate import estimate, estimate_body

NEWEST = 10
"""So many results at the end are never masked."""
SHORTEST_BYTES = 400
BATCH_CALLS = 20
"""Unless the cache is cold, a raise takes in the results of so many calls at least."""
LAPSE_S = 60
"""A cache counts as cold so long after the end of its life."""

_STILL_TO_COME = 0.5
"""Calls expected, for each call so far."""
_LEAST_READ = 0.1
_LEAST_SHARE = 0.05
"""Of the request's own cost, what a raise must be worth."""
_LOOKBACK_BLOCKS = 20
"""A provider that keeps entries at markers looks for them so far before each marker."""

_UNREAD = frozenset(("too long", "not readable"))
"""What the engine says of results that it never replaces."""
_MARKER = b'"cache_control"'
_POINTING = frozenset(("lines", "values", "wholes"))
"""Compressors whose words stand for a text further up: where that goes, the text itself comes back."""
_SPEAKING = {
    DialectName.GEMINI: (b'"model"',),
    DialectName.OPENAI_RESPONSES: (b'"assistant"', b'"function_call"', b'"custom_tool_call"', b'"local_shell_call"'),
}
"""What stands in a body where the model speaks; within texts, quotes are escaped."""
_ASSISTANT = (b'"assistant"',)


class Raise(msgspec.Struct, frozen=True, kw_only=True):
    """A decision: results before span `masked_spans` are masked from now on.

    `spans` of them are masked anew, which takes `tokens` away from every request to come, at the least.
    """

    masked_spans: int
    spans: int
    tokens: int


def standing(spans: Sequence[Span], masked_spans: int) -> int:
    """Return how far a conversation's mask holds for a request: all of it, or 0 where the newest would be masked.

    Another conversation may have begun with the same words, and a client may shorten its history.
    """
    return masked_spans if masked_spans <= _newest(spans) else 0


def decide(
    body: bytes,
    look: Look,
    last: Conversation,
    shared: int,
    *,
    idle_s: float,
    terms: CacheTerms,
    is_long_ttl: bool = False,
) -> Raise | None:
    """Return what is masked from this request on, more than so far; None where everything stays.

    `last` is the conversation as its last request left it, `idle_s` ago; both begin with `shared` equal spans. For
    a request that nothing is cached for, pass `terms.without_cache()`.
    """
    spans, masked_spans = look.spans, last.settings.masked_spans
    old = [index for index in range(masked_spans, _newest(spans)) if spans[index].kind is SpanKind.TOOL_RESULT]
    batch = [index for index in old if index < shared and _may_go(spans[index], last.verdicts[index])]
    if not batch or last.look is None or last.look.model != look.model:
        return None
    is_cold = terms.is_cached and idle_s > (terms.ttl_long_s if is_long_ttl else terms.ttl_s) + LAPSE_S
    if not is_cold and (terms.read < _LEAST_READ or _calls(body, look, old) < BATCH_CALLS):
        return None
    removed = _removed(spans, last.verdicts[:shared], batch)
    if removed <= 0 or not _is_next(body, look, shared):
        return None
    found = Raise(masked_spans=batch[-1] + 1, spans=len(batch), tokens=removed)
    sizes = _Sizes(body, look, last.verdicts[:shared])
    if sizes.total - removed < terms.min_cacheable_tokens:
        return None  # what remains would not be cached any more
    if is_cold:
        return found
    write = terms.write_1h if is_long_ttl else terms.write_5m
    rewritten = max(0.0, sizes.known - sizes.before(_unbroken(body, look, spans[batch[0]].start, terms)) - removed)
    results = [index for index, span in enumerate(spans) if span.kind is SpanKind.TOOL_RESULT]
    requests = 1 + _STILL_TO_COME * _calls(body, look, results)
    gain = terms.read * removed * requests - (write - terms.read) * rewritten
    cost = terms.read * sizes.known + write * (sizes.total - sizes.known)
    return found if gain > _LEAST_SHARE * cost else None


def _newest(spans: Sequence[Span]) -> int:
    """Return where the newest results begin; 0 where there are no more than those. Parts of one result count once."""
    kept, after = 0, None
    for index in range(len(spans) - 1, -1, -1):
        span = spans[index]
        if span.kind is not SpanKind.TOOL_RESULT:
            continue
        if after is None or span.is_whole or after.is_whole or span.call != after.call:
            kept += 1
            if kept > NEWEST:
                return index + 1
        after = span
    return 0


def _may_go(span: Span, verdict: Verdict) -> bool:
    is_left_alone = span.is_protected or verdict.segment is Segment.PROTECTED or verdict.why in _UNREAD
    return span.call is not None and not is_left_alone and span.end - span.start >= SHORTEST_BYTES


def _removed(spans: Sequence[Span], verdicts: Sequence[Verdict], batch: Sequence[int]) -> int:
    """Return how many tokens fewer are sent, at the least: whatever points further up is taken to come back."""
    masked = frozenset(batch)
    removed = 0
    for index in range(batch[0], len(verdicts)):
        verdict, call = verdicts[index], spans[index].call
        if index in masked and call is not None:
            removed += verdict.tokens_after - estimate(naming.left_out(call))
        elif not _POINTING.isdisjoint(verdict.by):
            removed -= verdict.tokens_before - verdict.tokens_after
    return removed


class _Sizes:
    """Tokens of a request as it would be sent without a raise, by place; what is not a span counts by its bytes."""

    def __init__(self, body: bytes, look: Look, verdicts: Sequence[Verdict]) -> None:
        self._spans, self._verdicts = look.spans[: len(verdicts)], verdicts
        self._begin = look.messages[0]
        pieces, at = [], self._begin
        for span in look.spans:
            pieces.append(body[at : span.start])
            at = span.end
        pieces.append(body[at : look.messages[1]])
        between = b"".join(pieces)
        plain = between.replace(b"\\n", b"\n").replace(b'\\"', b'"')
        self._per_byte = estimate_body(plain) / len(between) if between else 0.0
        self._frame = sum(estimate_body(body[start:end]) for start, end in look.frame)
        end = self._spans[-1].end
        self.known = self.before(end)
        """Of what the last request held too."""
        self.total = self.known + estimate_body(body[end : look.messages[1]])

    def before(self, place: int) -> float:
        """Return the tokens that the provider reads up to a place among the messages."""
        tokens, at = float(self._frame), self._begin
        for span, verdict in zip(self._spans, self._verdicts, strict=True):
            if span.end > place:
                break
            tokens += self._per_byte * (span.start - at) + verdict.tokens_after
            at = span.end
        return tokens + self._per_byte * max(0, place - at)


def _speaks(body: bytes, look: Look, begin: int, end: int) -> bool:
    return any(body.find(word, begin, end) >= 0 for word in _SPEAKING.get(look.dialect, _ASSISTANT))


def _calls(body: bytes, look: Look, results: Sequence[int]) -> int:
    """Return how many turns of the model these results answer: those that it asked for together count once."""
    at, calls = look.messages[0], 0
    for index in results:
        span = look.spans[index]
        calls += _speaks(body, look, at, span.start)
        at = span.end
    return calls


def _is_next(body: bytes, look: Look, shared: int) -> bool:
    """Say whether no other request came between: the model has spoken once at most since the last one remembered."""
    at, turns = look.spans[shared - 1].end, 0
    for span in look.spans[shared:]:
        if span.kind in (SpanKind.TOOL_RESULT, SpanKind.USER_TEXT):
            turns += _speaks(body, look, at, span.start)
            at = span.end
    return turns <= 1


def _unbroken(body: bytes, look: Look, cut: int, terms: CacheTerms) -> int:
    """Return up to where the provider still finds its entries when everything from `cut` on changes."""
    if not terms.needs_markers:
        return cut
    begin, end = look.messages
    marker = body.find(_MARKER, cut, end)
    if marker >= 0 and body.count(b'"type"', cut, marker) + body.count(b'"role"', cut, marker) <= _LOOKBACK_BLOCKS:
        return cut
    return max(begin, body.rfind(_MARKER, begin, cut))
