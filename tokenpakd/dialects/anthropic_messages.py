"""Anthropic Messages: what a body says, how an error looks, how a broken stream ends."""

from collections.abc import Mapping
from functools import partial

import msgspec

from tokenpakd.dialects import canonical, glance
from tokenpakd.dialects.calls import CallBook
from tokenpakd.dialects.canonical import NOTHING
from tokenpakd.dialects.span_index import SpanIndex
from tokenpakd.exchange.request import Call, DialectName, Look, Span, SpanKind

# First system block of Claude Code; the API strips it by position, and it changes from conversation to conversation.
_BILLING = b"x-anthropic-billing-header:"
_SERVER_ID = "srvtoolu_"


class _Block(msgspec.Struct, gc=False):
    type: str = ""
    id: str = ""
    name: str = ""
    tool_use_id: str = ""
    text: msgspec.Raw = NOTHING
    source: msgspec.Raw = NOTHING
    input: msgspec.Raw = NOTHING
    content: msgspec.Raw = NOTHING


class _Message(msgspec.Struct, gc=False):
    role: str = ""
    content: str | list[_Block] | None = None


class _Body(msgspec.Struct, gc=False):
    model: msgspec.Raw = NOTHING
    stream: msgspec.Raw = NOTHING
    system: msgspec.Raw = NOTHING
    context_management: msgspec.Raw = NOTHING
    messages: list[_Message] = []


class _LooseBody(msgspec.Struct, gc=False):
    model: msgspec.Raw = NOTHING
    stream: msgspec.Raw = NOTHING
    system: msgspec.Raw = NOTHING
    context_management: msgspec.Raw = NOTHING
    messages: list[msgspec.Raw] = []


class _Edit(msgspec.Struct, gc=False):
    type: str = ""


class _ContextManagement(msgspec.Struct, gc=False):
    edits: list[_Edit] = []


class _Text(msgspec.Struct, gc=False):
    type: str = ""
    text: msgspec.Raw = NOTHING


_BODY = msgspec.json.Decoder(_Body)
_LOOSE_BODY = msgspec.json.Decoder(_LooseBody)
_MESSAGE = msgspec.json.Decoder(_Message)
_CONTEXT_MANAGEMENT = msgspec.json.Decoder(_ContextManagement | None)
_TEXTS = msgspec.json.Decoder(list[_Text])

_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def look(body: bytes, *, want_spans: bool, path: bytes) -> Look:
    """Return what one pass over a Messages body saw."""
    return glance.guarded(body, partial(_look, want_spans=want_spans), otherwise=Look(dialect=DialectName.ANTHROPIC))


def error_body(
    *, status: int, code: str, message: str, request_id: str, fields: Mapping[str, object] | None = None
) -> bytes:
    """Return `{"type":"error",…}` with the type that fits the status; `context_overflow` is a type of its own."""
    kind = _ERROR_TYPES.get(status) or ("invalid_request_error" if status < 500 else "api_error")
    if code == "context_overflow":
        kind = code
    error = {"type": kind, "message": message, **_beside(fields)}
    return msgspec.json.encode({"type": "error", "error": error, "request_id": request_id})


def cut_event(*, message: str, request_id: str, mid_event: bool, content_type: bytes) -> bytes:
    """Return an `error` event.

    After half an event it starts with one line end only: the `event: error` line then renames the event that the
    half belongs to, and the SDK raises whatever its data is.
    """
    if not content_type.lower().startswith(b"text/event-stream"):
        return b""
    error = {"type": "error", "error": {"type": "api_error", "message": message}, "request_id": request_id}
    return b"%bevent: error\ndata: %b\n\n" % (b"\n" if mid_event else b"", msgspec.json.encode(error))


def _beside(fields: Mapping[str, object] | None) -> dict[str, object]:
    return {key: value for key, value in (fields or {}).items() if key not in ("type", "message", "retry_after_s")}


def _look(body: bytes, *, want_spans: bool) -> Look:
    seen: _Body | _LooseBody
    try:
        seen = strict = _BODY.decode(body)
        messages = strict.messages
    except ValueError:  # one odd message: look at each by itself
        seen = loose = _LOOSE_BODY.decode(body)
        messages = glance.rows(_MESSAGE, loose.messages, _Message())
    return Look(
        dialect=DialectName.ANTHROPIC,
        model=canonical.name(seen.model),
        is_stream=glance.flag(seen.stream),
        opening=_opening(seen.system, messages),
        spans=_spans(SpanIndex(body), messages) if want_spans and _keeps_results(seen.context_management) else (),
        message_count=len(messages),
    )


def _opening(system: msgspec.Raw, messages: list[_Message]) -> tuple[bytes, ...]:
    if canonical.is_text(system):
        instructions = canonical.content(system)
    else:
        blocks = canonical.parts(system)
        if blocks and canonical.text(blocks[0].text).startswith(_BILLING):
            del blocks[0]
        instructions = canonical.joined(canonical.piece(block) for block in blocks)
    first = next((_content(message.content) for message in messages if message.role == "user"), None)
    return canonical.opening(DialectName.ANTHROPIC, [instructions], first)


def _content(content: str | list[_Block] | None) -> bytes:
    if isinstance(content, str):
        return canonical.clipped(content.encode())
    return canonical.joined(
        canonical.text(block.text) if canonical.is_text(block.text) else canonical.mark(block.type, block.source)
        for block in content or ()
    )


def _keeps_results(context_management: msgspec.Raw) -> bool:
    """Say whether the model will see all of the request: the API may clear old tool results before it reads them."""
    if context_management is NOTHING:
        return True
    try:
        seen = _CONTEXT_MANAGEMENT.decode(context_management)
    except glance.ODD:
        return False
    return seen is None or all(edit.type.startswith("clear_thinking") for edit in seen.edits)


def _spans(index: SpanIndex, messages: list[_Message]) -> tuple[Span, ...]:
    book = CallBook()
    spans: list[Span] = []
    of_server: set[str] = set()
    for message in messages:
        if not isinstance(message.content, list):
            continue
        for block in message.content:
            if block.type == "compaction":  # the model sees nothing of what stands before it
                return tuple(sorted(spans, key=_start))
            if block.type == "tool_use":
                book.add(block.id, block.name, block.input)
            elif block.type == "server_tool_use":
                of_server.add(block.id)
            elif block.type == "tool_result" and message.role != "assistant":
                # What a server tool returned is checked by the server: any change to it is a 400.
                if block.tool_use_id in of_server or block.tool_use_id.startswith(_SERVER_ID):
                    continue
                _add_result(spans, index, block.content, book.by_id(block.tool_use_id))
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
