"""Requests of real clients, as recorded, cross strict mode without a change.

The recordings are not part of this repository; they are looked for in `../shared/recorded` beside the checkout.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.playbook.raw_client import ask
from tests.playbook.traffic import STRICT, Lab

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "recorded"
FILES = sorted(path.stem for path in RECORDED.glob("*__*.json"))
HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
NOT_COMPARED = HOP_BY_HOP | {"host", "content-length"}


def model_requests(name: str) -> list[dict[str, Any]]:
    """The HTTP requests of one recording that go to a model: no WebSocket, no probe, no merged model list."""
    requests = json.loads((RECORDED / f"{name}.json").read_text())["requests"]
    return [
        request
        for request in requests
        if request.get("method") == "POST" or (request.get("method") == "GET" and request["target"] == "/api/tags")
    ]


def body_of(request: dict[str, Any]) -> bytes | None:
    """Write the body again as the client wrote it."""
    if request["body"] is None:
        return None
    separators = (",", ":") if request["body_fmt"] == "compact" else (", ", ": ")
    text = json.dumps(request["body"], separators=separators, ensure_ascii=request["body_ascii_escaped"])
    return text.encode("utf-8", "surrogatepass")


def compared(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [
        (name.lower(), value)
        for name, value in headers
        if name.lower() not in NOT_COMPARED and not name.lower().startswith("x-tokenpak-")
    ]


@pytest.mark.skipif(not FILES, reason="no recordings beside this checkout (../shared/recorded)")
@pytest.mark.parametrize("name", FILES)
def test_a_recorded_request_arrives_as_it_was_sent(lab: Lab, name: str) -> None:
    requests = model_requests(name)
    for number, request in enumerate(requests):
        headers = [(key, value) for key, value in request["headers"] if key.lower() not in NOT_COMPARED]
        sent_headers = [pair for pair in headers if not pair[0].lower().startswith("x-tokenpak-")]
        body = body_of(request)
        fields = [STRICT, *sent_headers]
        reply = ask(lab.port, request["target"], method=request["method"], headers=fields, body=body, content_type=None)
        assert reply.status == 200, (request["target"], reply.body[:300])
        assert len(lab.upstream.exchanges) == number + 1
        seen = lab.upstream.last
        assert (seen.method, seen.target) == (request["method"], request["target"])
        assert seen.body == (body or b"")
        assert compared(seen.headers) == compared(headers)


@pytest.mark.skipif(not FILES, reason="no recordings beside this checkout (../shared/recorded)")
def test_the_recordings_hold_enough_to_mean_something() -> None:
    assert sum(len(model_requests(name)) for name in FILES) > 100
