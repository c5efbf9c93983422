"""Gemini generateContent: what a body and its path say, how an error looks, how a broken stream ends."""

from collections.abc import Mapping
from functools import partial

import msgspec

from tokenpakd.dialects import canonical, glance
from tokenpakd.dialects.calls import CallBook
from tokenpakd.dialects.canonical import NOTHING
from tokenpakd.dialects.span_index import SpanIndex
from tokenpakd.exchange.request import DialectName, Look, Span, SpanKind


# Google's JSON takes both spellings of every name.
class _Function(msgspec.Struct, gc=False):
    id: str | None = None
    name: str = ""
    args: msgspec.Raw = NOTHING
    response: msgspec.Raw = NOTHING


class _Part(msgspec.Struct, gc=False):
    text: msgspec.Raw = NOTHING
    inline_data: msgspec.Raw = msgspec.field(default=NOTHING, name="inlineData")
    file_data: msgspec.Raw = msgspec.field(default=NOTHING, name="fileData")
    call: _Function | None = msgspec.field(default=None, name="functionCall")
    call_snake: _Function | None = msgspec.field(default=None, name="function_call")
    response: _Function | None = msgspec.field(default=None, name="functionResponse")
    response_snake: _Function | None = msgspec.field(default=None, name="function_response")


class _Content(msgspec.Struct, gc=False):
    role: str | None = None
    parts: list[_Part] | _Part | None = None
    """A single part need not stand in a list."""


class _Body(msgspec.Struct, gc=False):
    contents: list[_Content] = []
    system: msgspec.Raw = msgspec.field(default=NOTHING, name="systemInstruction")
    system_snake: msgspec.Raw = msgspec.field(default=NOTHING, name="system_instruction")


class _LooseBody(msgspec.Struct, gc=False):
    contents: list[msgspec.Raw] = []
    system: msgspec.Raw = msgspec.field(default=NOTHING, name="systemInstruction")
    system_snake: msgspec.Raw = msgspec.field(default=NOTHING, name="system_instruction")


_BODY = msgspec.json.Decoder(_Body)
_LOOSE_BODY = msgspec.json.Decoder(_LooseBody)
_CONTENT = msgspec.json.Decoder(_Content)
_VALUES = msgspec.json.Decoder(dict[str, msgspec.Raw])

_STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def look(body: bytes, *, want_spans: bool, path: bytes) -> Look:
    """Return what one pass over a body saw; model and streaming stand in the path."""
    name, _, verb = path.rpartition(b"/")[2].rpartition(b":")
    nothing = Look(
        dialect=DialectName.GEMINI,
        model=name.decode("utf-8", "replace") or None,
        is_stream=verb == b"streamGenerateContent",
    )
    return glance.guarded(body, partial(_look, want_spans=want_spans, nothing=nothing), otherwise=nothing)


def error_body(
    *, status: int, code: str, message: str, request_id: str, fields: Mapping[str, object] | None = None
) -> bytes:
    """Return `{"error": {code, message, status, …}}`; `retry_after_s` among the fields becomes a RetryInfo."""
    return msgspec.json.encode({"error": _error(status, message, fields)})


def cut_event(*, message: str, request_id: str, mid_event: bool, content_type: bytes) -> bytes:
    """Return a data event that holds an error; a stream sent as one JSON array breaks visibly by itself."""
    if not content_type.lower().startswith(b"text/event-stream"):
        return b""
    error = msgspec.json.encode({"error": _error(503, message, None)})
    return b"%bdata: %b\r\n\r\n" % (b"\r\n\r\n" if mid_event else b"", error)


def _error(status: int, message: str, fields: Mapping[str, object] | None) -> dict[str, object]:
    name = _STATUS_NAMES.get(status) or ("FAILED_PRECONDITION" if status < 500 else "INTERNAL")
    error: dict[str, object] = {"code": status, "message": message, "status": name}
    for key, value in (fields or {}).items():
        if key == "retry_after_s":
            retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{value}s"}
            error["details"] = [retry]
        elif key not in error:
            error[key] = value
    return error


def _look(body: bytes, *, want_spans: bool, nothing: Look) -> Look:
    seen: _Body | _LooseBody
    try:
        seen = strict = _BODY.decode(body)
        contents = strict.contents
    except ValueError:  # one odd content: look at each by itself
        seen = loose = _LOOSE_BODY.decode(body)
        contents = glance.rows(_CONTENT, loose.contents, _Content(role=""))
    system = seen.system if canonical.is_object(seen.system) else seen.system_snake
    return Look(
        dialect=DialectName.GEMINI,
        model=nothing.model,
        is_stream=nothing.is_stream,
        opening=_opening(system, contents),
        spans=_spans(SpanIndex(body), contents) if want_spans else (),
        message_count=len(contents),
    )


def _opening(system: msgspec.Raw, contents: list[_Content]) -> tuple[bytes, ...]:
    told = []
    if canonical.is_object(system):
        told = [_text(parts) for parts in glance.rows(_CONTENT, [system], _Content())]
    first = next((_text(content) for content in contents if content.role in ("user", None)), None)
    return canonical.opening(DialectName.GEMINI, told, first)


def _text(content: _Content) -> bytes:
    return canonical.joined(
        canonical.text(part.text)
        if canonical.is_text(part.text)
        else canonical.mark("part", part.inline_data, part.file_data)
        for part in _parts(content)
    )


def _parts(content: _Content) -> list[_Part]:
    if isinstance(content.parts, _Part):
        return [content.parts]
    return content.parts or []


def _spans(index: SpanIndex, contents: list[_Content]) -> tuple[Span, ...]:
    book = CallBook()
    spans: list[Span] = []
    for content in contents:
        if content.role == "model":
            book.begin_turn()
        for part in _parts(content):
            call = part.call or part.call_snake
            response = part.response or part.response_snake
            if call is not None and content.role == "model":
                book.add(call.id, call.name, call.args)
            elif response is not None and content.role != "model":
                _add_response(spans, index, response, book)
    return tuple(sorted(spans, key=_start))


def _add_response(spans: list[Span], index: SpanIndex, response: _Function, book: CallBook) -> None:
    call = book.answered_by(response.id, response.name)
    try:
        values = _VALUES.decode(response.response)
    except glance.ODD:
        return
    for value in values.values():
        place = index.literal(value) if canonical.is_text(value) else None
        if place is not None:
            spans.append(Span(place[0], place[1], SpanKind.TOOL_RESULT, call, len(values) == 1))


def _start(span: Span) -> int:
    return span.start
