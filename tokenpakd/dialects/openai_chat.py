"""OpenAI Chat Completions: what a body says, how an error looks, how a broken stream ends."""

from collections.abc import Mapping
from functools import partial

import msgspec

from tokenpakd.dialects import canonical, glance
from tokenpakd.dialects.calls import CallBook
from tokenpakd.dialects.canonical import NOTHING
from tokenpakd.dialects.span_index import SpanIndex
from tokenpakd.exchange.request import Call, DialectName, Look, Span, SpanKind


class _Function(msgspec.Struct, gc=False):
    name: str = ""
    arguments: msgspec.Raw = NOTHING
    input: msgspec.Raw = NOTHING


class _ToolCall(msgspec.Struct, gc=False):
    id: str | None = None
    function: _Function | None = None
    custom: _Function | None = None


class _Message(msgspec.Struct, gc=False):
    role: str = ""
    content: msgspec.Raw = NOTHING
    tool_calls: list[_ToolCall] | None = None
    tool_call_id: str | None = None


class _Body(msgspec.Struct, gc=False):
    model: msgspec.Raw = NOTHING
    stream: msgspec.Raw = NOTHING
    prompt_cache_key: msgspec.Raw = NOTHING
    transforms: msgspec.Raw = NOTHING
    messages: list[_Message] = []


class _LooseBody(msgspec.Struct, gc=False):
    model: msgspec.Raw = NOTHING
    stream: msgspec.Raw = NOTHING
    prompt_cache_key: msgspec.Raw = NOTHING
    transforms: msgspec.Raw = NOTHING
    messages: list[msgspec.Raw] = []


class _Text(msgspec.Struct, gc=False):
    type: str = ""
    text: msgspec.Raw = NOTHING


_BODY = msgspec.json.Decoder(_Body)
_LOOSE_BODY = msgspec.json.Decoder(_LooseBody)
_MESSAGE = msgspec.json.Decoder(_Message)
_TEXTS = msgspec.json.Decoder(list[_Text])

_ERROR_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
# Codes that this dialect's clients know under another name.
_CODES = {"context_overflow": "context_length_exceeded", "rate_limited": "rate_limit_exceeded"}


def look(body: bytes, *, want_spans: bool, path: bytes) -> Look:
    """Return what one pass over a Chat Completions body saw."""
    return glance.guarded(body, partial(_look, want_spans=want_spans), otherwise=Look(dialect=DialectName.OPENAI_CHAT))


def error_body(
    *, status: int, code: str, message: str, request_id: str, fields: Mapping[str, object] | None = None
) -> bytes:
    """Return `{"error": {message, type, param, code}}`; `param` may come among the fields."""
    return msgspec.json.encode({"error": _error(status, code, message, fields)})


def cut_event(*, message: str, request_id: str, mid_event: bool, content_type: bytes) -> bytes:
    """Return a data event that holds an error; never `[DONE]`, which would say that all is well.

    After half an event an empty line ends it first, so that a client which skips what it cannot read sees the error.
    """
    if not content_type.lower().startswith(b"text/event-stream"):
        return b""
    error = msgspec.json.encode({"error": _error(502, "upstream_cut", message, None)})
    return b"%bdata: %b\n\n" % (b"\n\n" if mid_event else b"", error)


def _error(status: int, code: str, message: str, fields: Mapping[str, object] | None) -> dict[str, object]:
    kind = _ERROR_TYPES.get(status) or ("invalid_request_error" if status < 500 else "server_error")
    told = _CODES.get(code, code)
    param = "messages" if told == "context_length_exceeded" else None
    error: dict[str, object] = {"message": message, "type": kind, "param": param, "code": told}
    own = ("message", "type", "code", "retry_after_s")
    error.update((key, value) for key, value in (fields or {}).items() if key not in own)
    return error


def _look(body: bytes, *, want_spans: bool) -> Look:
    seen: _Body | _LooseBody
    try:
        seen = strict = _BODY.decode(body)
        messages = strict.messages
    except ValueError:  # one odd message: look at each by itself
        seen = loose = _LOOSE_BODY.decode(body)
        messages = glance.rows(_MESSAGE, loose.messages, _Message())
    return Look(
        dialect=DialectName.OPENAI_CHAT,
        model=canonical.name(seen.model),
        is_stream=glance.flag(seen.stream),
        opening=_opening(seen.prompt_cache_key, messages),
        # OpenRouter's transforms cut out the middle of a conversation that is too long.
        spans=_spans(SpanIndex(body), messages) if want_spans and seen.transforms is NOTHING else (),
        message_count=len(messages),
    )


def _opening(key: msgspec.Raw, messages: list[_Message]) -> tuple[bytes, ...]:
    instructions: list[bytes] = []
    for message in messages:
        if message.role == "user":
            first = canonical.content(message.content)
            return canonical.opening(DialectName.OPENAI_CHAT, instructions, first, key=key)
        if message.role in ("system", "developer"):
            instructions.append(canonical.content(message.content))
    return ()


def _spans(index: SpanIndex, messages: list[_Message]) -> tuple[Span, ...]:
    book = CallBook()
    spans: list[Span] = []
    for message in messages:
        if message.role == "assistant":
            for call in message.tool_calls or ():
                if call.function is not None:
                    book.add(call.id, call.function.name, call.function.arguments)
                elif call.custom is not None:
                    book.add(call.id, call.custom.name, call.custom.input)
        elif message.role == "tool":
            _add_result(spans, index, message.content, book.by_id(message.tool_call_id))
    return tuple(sorted(spans, key=_start))


def _add_result(spans: list[Span], index: SpanIndex, content: msgspec.Raw, call: Call | None) -> None:
    if canonical.is_text(content):
        place = index.literal(content)
        if place is not None:
            spans.append(Span(place[0], place[1], SpanKind.TOOL_RESULT, call))
        return
    parts = glance.listed(_TEXTS, content)
    for part in parts:
        if part.type == "text" and canonical.is_text(part.text):
            place = index.literal(part.text)
            if place is not None:
                spans.append(Span(place[0], place[1], SpanKind.TOOL_RESULT, call, len(parts) == 1))


def _start(span: Span) -> int:
    return span.start
