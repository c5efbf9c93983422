"""One request through the compressors: each span replayed as it was decided, or decided now and kept.

A span's outcome depends on its own text, the spans before it and the conversation's settings, nothing else: the
next request begins with the bytes of this one wherever the client's does. What cannot be read, grows, or makes a
compressor fail stays as it came.
"""

from collections.abc import Sequence

import msgspec

from tokenpakd.compression import arguments, json_result, line_text, naming, registry, repeats
from tokenpakd.compression.cacheable import first_cacheable
from tokenpakd.compression.conversation import Conversation, Settings, Verdict
from tokenpakd.compression.line_text import TOOL_OUTPUT, USER_TEXT, Limits, Lines
from tokenpakd.compression.registry import Compressor, CompressorSet, Loss
from tokenpakd.compression.segments import Segment, segment_of
from tokenpakd.compression.splice import Replacement
from tokenpakd.exchange.request import Look, Span, SpanKind
from tokenpakd.tokens.estimate import estimate, estimate_literal, estimate_sampled

BLOCK_BYTES_MAX = 16_000_000
"""Longer literals are forwarded unread: a bound on what one block may cost."""

_SHORTEST_BYTES = 60
_LEAST_BYTES_PER_TOKEN = 5
"""Nothing is shortened before the smallest prompt that is cached: one that shrinks under it would cost more."""
_CONFIRMATION_CHARS, _CONFIRMATION_LINES = 400, 3
"""That a change was made is news each time: `same output as …, unchanged` could be read as if none was."""
_SHORTEST_MASKED_BYTES = 400
_READ_AS_WRITTEN = frozenset((Segment.CODE, Segment.CONFIG, Segment.FILE_VIEW, Segment.DIFF))
"""Of a file's text each line stays where it is unless another text has it: a reader follows it top to bottom."""

_TEXT = msgspec.json.Decoder(str)
_NOTHING = Lines([], None)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request. `verdicts` go with its spans; the first `known_spans` were replayed."""

    replacements: tuple[Replacement, ...]
    verdicts: tuple[Verdict, ...]
    conversation: Conversation
    known_spans: int


def compress(
    body: bytes, look: Look, known: Conversation | None, settings: Settings, *, shared: int | None = None
) -> Outcome:
    """Decide every span of a body; `known` only saves work and is used up: it comes back grown.

    `shared` is what `known.shared(body, look)` said, where the caller has asked already.
    """
    known_spans = 0
    least_bytes = settings.min_cacheable_tokens * _LEAST_BYTES_PER_TOKEN
    begin = first_cacheable(body, look, least_bytes=least_bytes, masked_spans=settings.masked_spans)
    if known is None or not known.fits(look, settings):
        known = Conversation(settings)
    else:
        known_spans = known.shared(body, look) if shared is None else shared
        if begin != known.cacheable_from:  # what stands between the spans has grown or shrunk
            known_spans = min(known_spans, begin, known.cacheable_from)
    known.cacheable_from = begin
    compressors = registry.compressor_set(settings.compressors)
    known.rewind(known_spans)
    if compressors is None:
        _leave(body, look.spans[known_spans:], known)
    elif compressors.is_legacy:
        _decide_as_before(body, look.spans, known)
    else:
        _Request(body, known, compressors).decide(look.spans[known_spans:])
    known.adopt(body, look)
    verdicts = tuple(known.verdicts)
    replacements = tuple(
        Replacement(span.start, span.end, verdict.literal)
        for span, verdict in zip(look.spans, verdicts, strict=False)
        if verdict.literal is not None
    )
    return Outcome(replacements=replacements, verdicts=verdicts, conversation=known, known_spans=known_spans)


class _Draft(msgspec.Struct, gc=False):
    """A text on its way through the compressors, and its lines as they are to be learned if it is sent."""

    text: str
    by: tuple[str, ...] = ()
    lines: Lines | None = None
    is_folded: bool = False
    whole: str = ""
    """What tells an output from others: of one that lost something what came, for two may lose their difference."""


class _Request:
    """The new spans of one request, decided left to right."""

    def __init__(self, body: bytes, known: Conversation, compressors: CompressorSet) -> None:
        self._body = body
        self._known = known
        self._compressors = compressors
        self._names: tuple[str, ...] = ()  # of the span at hand

    def decide(self, spans: Sequence[Span]) -> None:
        for span in spans:
            self._known.begin_span()
            self._names = naming.names(span)
            self._known.end_span(span, self._decided(span), self._body[span.start : span.end])

    def _decided(self, span: Span) -> Verdict:
        literal = self._body[span.start : span.end]
        if span.kind is SpanKind.TOOL_RESULT:
            self._known.wholes.answered(span)
        if len(literal) > BLOCK_BYTES_MAX:
            return self._unread(span, literal, "too long")
        try:
            text = _TEXT.decode(literal)
        except ValueError:  # half a surrogate pair, a broken escape: the provider's to judge
            return self._unread(span, literal, "not readable")
        if span.kind in (SpanKind.TOOL_ARGUMENT, SpanKind.TOOL_ARGUMENTS):
            for argument in (text,) if span.kind is SpanKind.TOOL_ARGUMENT else arguments.strings(text):
                self._known.lines.learn(line_text.split(argument), self._names)
            return _kept(text, Segment.UNKNOWN, "the model's own words")
        if len(literal) < _SHORTEST_BYTES:
            self._learn_name(text, span)
            if span.kind is SpanKind.TOOL_RESULT:
                json_result.learn_short(self._known.values, text, span.call)
            return _kept(text, Segment.UNKNOWN, "too short")
        return self._outcome(span, literal, text)

    def _outcome(self, span: Span, literal: bytes, text: str) -> Verdict:
        is_result = span.kind is SpanKind.TOOL_RESULT
        segment = segment_of(text, span.call) if is_result else Segment.NARRATIVE
        if span.is_protected or segment is Segment.PROTECTED:
            self._learn_unread(text, span)
            return _kept(literal, Segment.PROTECTED, "protected")
        if is_result and len(self._known.spans) < self._known.settings.masked_spans:
            verdict = self._masked(span, literal, segment)
            if verdict.literal is None:
                self._learn_unread(text, span)
            return verdict
        why = "nothing shorter"
        document: json_result.Encoded | None = None
        draft = _Draft(text)
        try:
            document = json_result.encode(text, segment, self._known.values) if is_result else None
            if len(self._known.spans) >= self._known.cacheable_from:
                if not is_result:
                    draft = self._folded(_through(self._compressors.user_text, text, segment), span, USER_TEXT)
                else:
                    draft = self._shortened(span, text, segment, document)
                sent = _shorter(draft, text, literal, segment)
                if sent is not None:
                    self._learn(draft, span, text, document)
                    return sent
            else:
                why = "before the smallest prompt that is cached"
        except Exception as exc:  # noqa: BLE001 - a fault of ours costs a saving, never a request
            why = f"failed ({type(exc).__name__})"
        # What came to nothing was split into lines already.
        self._learn(draft if draft.text == text else _Draft(text), span, text, document)
        return _kept(text, segment, why)

    def _shortened(self, span: Span, text: str, segment: Segment, document: json_result.Encoded | None) -> _Draft:
        if document is not None and document.text is not None:
            pointer = self._known.wholes.pointer(document.columns or text, span)
            if pointer is None:
                return _Draft(document.text, document.by, is_folded=document.pointed is not None)
            return _Draft(pointer, ("wholes",), _NOTHING, is_folded=True)
        if (
            len(text) < _CONFIRMATION_CHARS
            and text.count("\n") < _CONFIRMATION_LINES
            and naming.changes_something(span.call)
        ):
            return _Draft(text)
        draft = self._block_local(span, text, segment)
        pointer = self._known.wholes.pointer(draft.whole, span)
        if pointer is not None and len(pointer) < len(draft.text):
            return _Draft(pointer, (*draft.by, "wholes"), _NOTHING, is_folded=True)
        return self._folded(draft, span, TOOL_OUTPUT, sees_itself=segment not in _READ_AS_WRITTEN)

    def _block_local(self, span: Span, text: str, segment: Segment) -> _Draft:
        compressors, names = self._compressors.block_local, self._names
        if self._known.cut and not self._known.cut.keys().isdisjoint(names):
            compressors = tuple(each for each in compressors if not each.once_a_file)
        draft = _through(compressors, text, segment)
        if any(each.once_a_file and each.name in draft.by for each in compressors):
            for name in names:
                self._known.cut.setdefault(name, len(self._known.spans))
        return draft

    def _folded(self, draft: _Draft, span: Span, limits: Limits, *, sees_itself: bool = False) -> _Draft:
        lines = _lines(draft.text, span)
        # Nobody could tell words of ours in a tool's output from our own pointers beside them.
        is_strange = naming.speaks_notation(draft.text)
        folded = None if is_strange else self._known.lines.fold(lines, limits, sees_itself=sees_itself)
        if folded is None:
            return _Draft(draft.text, draft.by, lines, whole=draft.whole)
        return _Draft(folded.text, (*draft.by, "lines"), folded.lines, is_folded=True)

    def _learn(self, draft: _Draft, span: Span, text: str, document: json_result.Encoded | None) -> None:
        """Note what is sent verbatim; what a pointer stands for is not."""
        if document is not None and draft.text == document.text:
            self._learn_name(draft.text, span)
        else:
            self._known.lines.learn(draft.lines or _lines(draft.text, span), self._names)
        if span.kind is SpanKind.TOOL_RESULT and not draft.is_folded:
            self._known.wholes.learn(draft.whole or draft.text, span)
        if span.kind is SpanKind.TOOL_RESULT:
            sent = None if "wholes" in draft.by else draft.text
            json_result.learn(self._known.values, text, document, span.call, sent)

    def _learn_name(self, text: str, span: Span) -> None:
        """Note a text that is not pointed at: it goes by a name nevertheless, and a quote must not find it first."""
        self._known.lines.learn(_lines(text, span), self._names, is_target=False)

    def _learn_unread(self, text: str, span: Span) -> None:
        self._learn_name(text, span)
        if span.kind is SpanKind.TOOL_RESULT:
            json_result.learn_unread(self._known.values, text, span.call)

    def _unread(self, span: Span, literal: bytes, why: str) -> Verdict:
        if span.kind is SpanKind.TOOL_RESULT and span.call is not None:
            self._known.values.silence(span.call)
        return _kept(literal, Segment.UNKNOWN, why)

    def _masked(self, span: Span, literal: bytes, segment: Segment) -> Verdict:
        if len(literal) < _SHORTEST_MASKED_BYTES or span.call is None:
            return _kept(literal, segment, "too short")
        encoded = msgspec.json.encode(naming.left_out(span.call))
        if len(encoded) >= len(literal):
            return _kept(literal, segment, "nothing shorter")
        return _verdict(literal, encoded, segment, ("masking",))


def _leave(body: bytes, spans: Sequence[Span], known: Conversation) -> None:
    """Leave all spans as they are, for conversations that began with a set of a later version."""
    for span in spans:
        known.begin_span()
        literal = body[span.start : span.end]
        known.end_span(span, _kept(literal, Segment.UNKNOWN, "unknown set of compressors"), literal)


def _decide_as_before(body: bytes, spans: Sequence[Span], known: Conversation) -> None:
    """Decide all spans as the first compressor did, for conversations that began with it."""
    results = [span for span in spans if span.kind is SpanKind.TOOL_RESULT]
    found = {change.start: change.literal for change in repeats.replacements(body, results)}
    known.rewind(0)
    for span in spans:
        known.begin_span()
        literal = body[span.start : span.end]
        told = found.get(span.start)
        verdict = (
            _kept(literal, Segment.UNKNOWN, "nothing shorter")
            if told is None
            else _verdict(literal, told, Segment.UNKNOWN, ("repeats",))
        )
        known.end_span(span, verdict, literal)


def _through(compressors: Sequence[Compressor], text: str, segment: Segment) -> _Draft:
    draft, has_lost = _Draft(text, whole=text), False
    for each in compressors:
        shorter = each.shorten(draft.text, segment)
        if shorter is not None and len(shorter) < len(draft.text):
            has_lost = has_lost or each.loss is Loss.SOME
            draft = _Draft(shorter, (*draft.by, each.name), whole=text if has_lost else shorter)
    return draft


def _lines(text: str, span: Span) -> Lines:
    is_spaced = span.kind is SpanKind.TOOL_RESULT and naming.spaces_numbers(span.call)
    return line_text.split(text, is_spaced=is_spaced)


def _shorter(draft: _Draft, text: str, literal: bytes, segment: Segment) -> Verdict | None:
    """Return the verdict to send a draft; None where it is no shorter in bytes and tokens."""
    if draft.text == text:
        return None
    encoded = msgspec.json.encode(draft.text)
    if len(encoded) >= len(literal):
        return None
    before, after = estimate(text), estimate(draft.text)
    return Verdict(encoded, segment, draft.by, "", before, after) if after < before else None


def _kept(text: str | bytes, segment: Segment, why: str) -> Verdict:
    tokens = estimate_sampled(text) if isinstance(text, str) else estimate_literal(text)
    return Verdict(None, segment, (), why, tokens, tokens)


def _verdict(literal: bytes, encoded: bytes, segment: Segment, by: tuple[str, ...]) -> Verdict:
    return Verdict(encoded, segment, by, "", estimate_literal(literal), estimate_literal(encoded))
