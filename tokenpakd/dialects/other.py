"""No dialect: bodies nobody parses, errors in the shape most clients can show."""

from collections.abc import Mapping

import msgspec

from tokenpakd.exchange.request import DialectName, Look

_OWN = ("type", "code", "message", "request_id", "retry_after_s")


def look(body: bytes, *, want_spans: bool, path: bytes) -> Look:
    """Return an empty look: such a body is forwarded as it is."""
    return Look(dialect=DialectName.OTHER)


def error_body(
    *, status: int, code: str, message: str, request_id: str, fields: Mapping[str, object] | None = None
) -> bytes:
    """Return `{"error": {type, code, message, request_id}}`."""
    kind = "invalid_request_error" if status < 500 else "api_error"
    error: dict[str, object] = {"type": kind, "code": code, "message": message, "request_id": request_id}
    error.update((key, value) for key, value in (fields or {}).items() if key not in _OWN)
    return msgspec.json.encode({"error": error})


def cut_event(*, message: str, request_id: str, mid_event: bool, content_type: bytes) -> bytes:
    """Return nothing: an unknown stream is broken off, its framing shows it."""
    return b""
