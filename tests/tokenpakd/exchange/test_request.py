"""The head of a request."""

import pytest

from tokenpakd.exchange.request import Inbound, RequestId


@pytest.mark.parametrize(
    ("name", "value"),
    [(b"content-type", b"application/json"), (b"accept", b"first"), (b"x-api-key", None), (b"Accept", None)],
)
def test_a_header_is_found_in_any_case_the_first_one_first(name: bytes, value: bytes | None) -> None:
    inbound = Inbound(
        id=RequestId("r"),
        method="POST",
        target=b"/v1/messages?beta=true",
        path=b"/v1/messages",
        query=b"beta=true",
        http_version="1.1",
        headers=((b"Content-Type", b"application/json"), (b"ACCEPT", b"first"), (b"accept", b"second")),
        accepted_s=0.0,
        at_unix_ms=0,
    )
    assert inbound.header(name) == value
