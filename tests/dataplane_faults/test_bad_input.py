"""What clients may do to us: each gets its status, the provider hears nothing of it, and memory stays flat."""

import threading
import time
from collections.abc import Callable

import pytest

from tests.playbook.raw_client import Broken, End, RawClient, Reply
from tests.playbook.traffic import ANTHROPIC, MESSAGES, STRICT, Lab, message

BODY = message()
MIB = 1 << 20


def line(lab: Lab, start: str, *fields: str, host: str | None = None) -> bytes:
    """Build a head by hand; `host` other than the right one, or "" for none."""
    host_field = f"Host: 127.0.0.1:{lab.port}" if host is None else host
    return "\r\n".join([start, *([host_field] if host_field else []), *fields, "", ""]).encode("latin-1")


def ask_raw(lab: Lab, data: bytes) -> Reply:
    with lab.client() as client:
        client.send(data)
        return client.reply()


JSON = "Content-Type: application/json"
LENGTH = f"Content-Length: {len(BODY)}"
POST = f"POST {MESSAGES} HTTP/1.1"
WAYS: dict[str, tuple[int, Callable[[Lab], bytes]]] = {
    "foreign host": (403, lambda lab: line(lab, POST, JSON, LENGTH, host="Host: evil.test") + BODY),
    "rebound host": (403, lambda lab: line(lab, POST, JSON, LENGTH, host=f"Host: evil.test:{lab.port}") + BODY),
    "host of another port": (403, lambda lab: line(lab, POST, JSON, LENGTH, host="Host: 127.0.0.1:1") + BODY),
    "host with a suffix": (
        403,
        lambda lab: line(lab, POST, JSON, LENGTH, host=f"Host: localhost.evil.test:{lab.port}") + BODY,
    ),
    "foreign origin": (403, lambda lab: line(lab, POST, JSON, LENGTH, "Origin: https://evil.test") + BODY),
    "null origin": (403, lambda lab: line(lab, POST, JSON, LENGTH, "Origin: null") + BODY),
    "cross-site fetch": (403, lambda lab: line(lab, POST, JSON, LENGTH, "Sec-Fetch-Site: cross-site") + BODY),
    "preflight": (
        403,
        lambda lab: line(
            lab,
            f"OPTIONS {MESSAGES} HTTP/1.1",
            "Origin: https://evil.test",
            "Access-Control-Request-Method: POST",
        ),
    ),
    "simple form": (415, lambda lab: line(lab, POST, "Content-Type: text/plain", LENGTH) + BODY),
    "length beside chunks": (
        400,
        lambda lab: line(lab, POST, JSON, LENGTH, "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    ),
    "two lengths": (400, lambda lab: line(lab, POST, JSON, LENGTH, "Content-Length: 1") + BODY),
    "a length with a sign": (400, lambda lab: line(lab, POST, JSON, "Content-Length: +5") + b"{}   "),
    "an unknown coding": (400, lambda lab: line(lab, POST, JSON, "Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n"),
    "chunks in 1.0": (
        400,
        lambda lab: line(lab, f"POST {MESSAGES} HTTP/1.0", JSON, "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    ),
    "bad chunk size": (400, lambda lab: line(lab, POST, JSON, "Transfer-Encoding: chunked") + b"xyz\r\n{}\r\n"),
    "blank before colon": (400, lambda lab: line(lab, POST, JSON, "Content-Length : 5") + b"{}   "),
    "absolute target": (400, lambda lab: line(lab, "GET http://evil.test/v1/models HTTP/1.1")),
    "connect": (405, lambda lab: line(lab, "CONNECT evil.test:443 HTTP/1.1")),
    "trace": (405, lambda lab: line(lab, f"TRACE {MESSAGES} HTTP/1.1")),
    "unknown method": (405, lambda lab: line(lab, f"BREW {MESSAGES} HTTP/1.1")),
    "h2c upgrade": (
        400,
        lambda lab: line(
            lab,
            f"GET {MESSAGES} HTTP/1.1",
            "Connection: Upgrade, HTTP2-Settings",
            "Upgrade: h2c",
            "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
        ),
    ),
    "long target": (414, lambda lab: line(lab, f"GET /v1/{'x' * 9000} HTTP/1.1")),
    "large head": (431, lambda lab: line(lab, POST, JSON, LENGTH, "X-Big: " + "y" * 40_000) + BODY),
    "many fields": (431, lambda lab: line(lab, POST, JSON, LENGTH, *(f"X-{at}: 1" for at in range(200))) + BODY),
    "64 MiB and a byte": (413, lambda lab: line(lab, POST, JSON, f"Content-Length: {64 * MIB + 1}")),
    "a length past all bounds": (413, lambda lab: line(lab, POST, JSON, f"Content-Length: {10**18}")),
    "mode nobody knows": (400, lambda lab: line(lab, POST, JSON, LENGTH, "x-tokenpak-mode: reckless") + BODY),
}


@pytest.mark.parametrize("way", WAYS)
def test_it_is_refused_with_its_status_and_reaches_no_provider(lab: Lab, way: str) -> None:
    status, build = WAYS[way]
    reply = ask_raw(lab, build(lab))
    assert reply.status == status, reply.body[:300]
    assert reply.end is End.COMPLETE
    lab.must_still_serve(1)
    assert len(lab.upstream.exchanges) == 1, "only the request after it"


def test_http2_by_prior_knowledge_is_not_spoken(lab: Lab) -> None:
    with lab.client() as client:
        client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        answer = client.everything()
    # A settings frame would begin with its length; nothing at all is fine too.
    assert not answer or answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 405 ", b"HTTP/1.1 505 ")), answer[:200]
    lab.must_still_serve(1)
    assert len(lab.upstream.exchanges) == 1


def test_a_chunked_body_past_the_cap_is_refused_while_it_is_sent(lab: Lab) -> None:
    lab.must_still_serve(3)
    lab.upstream.forget()
    before_mb = lab.rss_mb()
    piece = b"%x\r\n%b\r\n" % (MIB, b" " * MIB)
    with lab.client() as client:
        client.send(line(lab, POST, JSON, "Transfer-Encoding: chunked"))
        sent = client.send_until_refused(piece for _ in range(200))
        try:
            assert client.reply().status == 413
        except (Broken, ConnectionError):
            # A reset may overtake the answer; then the cut itself must have come at the cap.
            assert sent < 80 * MIB
    assert lab.upstream.exchanges == []
    lab.must_still_serve(3)
    assert lab.rss_mb() < before_mb + 72, "one body at most is held, and not for long"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"not json at all",
        b'{"model": "claude-sonnet-4-5", "messages": [',
        b'{"model": 1e999, "messages": "\\ud800"}',
        b'\xef\xbb\xbf{"model":"claude-sonnet-4-5","messages":[]}',
        b'{"model":"claude\xff\xfe","messages":[{"role":"user","content":"\xc3"}]}',
        b"[" * 5_000_000 + b"]" * 5_000_000,
        b'{"model":"claude-sonnet-4-5","messages":' + b"[" * 5_000_000 + b"]" * 5_000_000 + b"}",
        b'{"model":"claude-sonnet-4-5","messages":[' + b'{"a":' * 1_000_000 + b"1" + b"}" * 1_000_000 + b"]}",
        b'{"n":' + b"9" * 5000 + b',"model":"claude-sonnet-4-5"}',
    ],
    ids=[
        "empty",
        "open",
        "prose",
        "half",
        "lone surrogate",
        "bom",
        "not utf-8",
        "deep",
        "deep inside",
        "objects",
        "long",
    ],
)
@pytest.mark.parametrize("mode", ["strict", "hybrid", "aggressive"])
def test_strange_json_is_forwarded_untouched(lab: Lab, body: bytes, mode: str) -> None:
    with lab.client() as client:
        client.request("POST", MESSAGES, headers=[("x-tokenpak-mode", mode), *ANTHROPIC], body=body)
        reply = client.reply()
    assert reply.status == 200, reply.body[:300]
    assert lab.upstream.last.body == body
    assert lab.row(reply)["outcome"] == "ok"


def test_one_connection_carries_good_requests_after_a_refused_one_or_is_closed(lab: Lab) -> None:
    """A refusal must not let the refused body be read as the next request."""
    inner = line(lab, POST, JSON, LENGTH, *(f"{name}: {value}" for name, value in ANTHROPIC)) + BODY
    with lab.client() as client:
        client.send(line(lab, POST, JSON, f"Content-Length: {len(inner)}", "Origin: https://evil.test") + inner)
        assert client.reply().status == 403
        # Either the connection is over, or the next answer is to the next request.
        try:
            client.request("GET", "/health")
            assert client.reply().status == 200
        except (Broken, OSError):
            pass
    assert lab.upstream.exchanges == []


def test_slow_heads_and_slow_bodies_are_408_while_others_are_served(lab: Lab) -> None:
    """The deadlines are fixed at 10 s, so all the slow ones wait together."""
    starts = [
        line(lab, POST, JSON, LENGTH)[:-20],
        line(lab, POST, JSON, "Content-Length: 1000") + b"{",
        line(lab, POST, JSON, "Transfer-Encoding: chunked") + b"5\r\nab",
    ]
    clients = [lab.client(deadline_s=25) for _ in range(3 * len(starts))]
    replies: list[Reply | None] = [None] * len(clients)
    began_s = time.monotonic()

    def wait_for_reply(at: int, client: RawClient) -> None:
        client.send(starts[at % len(starts)])
        try:
            replies[at] = client.reply()
        except (Broken, OSError):
            replies[at] = None

    threads = [threading.Thread(target=wait_for_reply, args=pair) for pair in enumerate(clients)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        lab.must_still_serve(1)
        threads[-1].join(0.25)
        assert time.monotonic() - began_s < 25
    for client in clients:
        client.close()
    statuses = [reply.status if reply else None for reply in replies]
    assert statuses == [408] * len(clients)
    assert all(exchange.body == BODY for exchange in lab.upstream.exchanges)


def test_a_body_that_comes_slowly_but_comes_is_served(lab: Lab) -> None:
    with lab.client() as client:
        client.send(line(lab, POST, JSON, LENGTH, *(f"{name}: {value}" for name, value in [STRICT, *ANTHROPIC])))
        for at in range(len(BODY)):
            client.send(BODY[at : at + 1])
        assert client.reply().status == 200
    assert lab.upstream.last.body == BODY
