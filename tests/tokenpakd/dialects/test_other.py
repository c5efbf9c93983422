"""What nobody parses."""

import json

from tokenpakd.dialects import other
from tokenpakd.exchange.request import DialectName, Look


def test_body_is_not_looked_at() -> None:
    assert other.look(b"\x00", want_spans=True, path=b"/x") == Look(dialect=DialectName.OTHER)


def test_error_says_who_what_and_which_request() -> None:
    body = other.error_body(status=404, code="not_found", message="no", request_id="r1", fields={"a": 1, "code": "x"})
    assert json.loads(body) == {
        "error": {"type": "invalid_request_error", "code": "not_found", "message": "no", "request_id": "r1", "a": 1}
    }
    assert (
        json.loads(other.error_body(status=500, code="c", message="m", request_id="r"))["error"]["type"] == "api_error"
    )


def test_unknown_stream_is_just_broken_off() -> None:
    assert other.cut_event(message="m", request_id="r", mid_event=True, content_type=b"text/event-stream") == b""
