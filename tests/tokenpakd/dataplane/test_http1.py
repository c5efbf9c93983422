"""The protocol of one connection, fed by hand."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.tokenpakd.dataplane.loopback import whole_body
from tokenpakd.dataplane.http1 import App, Closed, Event, Http1, RawData, http1, hypercorn_config

HEAD = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
GET = b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n"
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Wire:
    """One connection's owner: what was sent, what the application got."""

    def __init__(self) -> None:
        self.sent = b""
        self.writes: list[bytes] = []
        self.is_closed = False
        self.left = 0
        self.log: list[str] = []
        self.closes_after_reply = False
        self.protocol: Http1

    def request_began(self) -> None:
        self.log.append("began")

    def request_ended(self, *, has_more: bool) -> None:
        self.log.append("ended, more" if has_more else "ended")

    def client_left(self) -> None:
        self.left += 1

    async def on_event(self, event: Event) -> None:
        if isinstance(event, RawData):
            self.sent += event.data
            self.writes.append(event.data)
        elif isinstance(event, Closed):
            self.is_closed = True

    async def feed(self, *pieces: bytes) -> None:
        for piece in pieces:
            await self.protocol.handle(RawData(piece))
        await wait_all_tasks_blocked()


@asynccontextmanager
async def wire(app: App) -> AsyncIterator[Wire]:
    owner = Wire()
    async with trio.open_nursery() as nursery:
        ends = (("127.0.0.1", 1), ("127.0.0.1", 2))
        owner.protocol = http1(app, hypercorn_config(), nursery, owner, ends, owner.on_event)
        yield owner
        nursery.cancel_scope.cancel()


class Echo:
    """Answers with the body it read; keeps what it got."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        body = await whole_body(receive)
        self.bodies.append(body)
        await reply(send, body)


async def reply(send: Send, body: bytes, status: int = 200) -> None:
    fields = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body, "more_body": False})


BODY = bytes(range(256)) + b"\r\n\r\nGET /x HTTP/1.1\r\n0\r\n\r\n"


@pytest.mark.parametrize("tail", [b"", GET % b"next"], ids=["alone", "pipelined"])
async def test_a_long_body_arrives_whole_in_every_split(tail: bytes) -> None:
    whole = HEAD % len(BODY) + BODY + tail
    start = len(HEAD % len(BODY))
    for first in (start - 1, start, start + 1, start + 7):
        for second in range(first, len(whole), 3):
            echo = Echo()
            async with wire(echo) as owner:
                await owner.feed(*(piece for piece in (whole[:first], whole[first:second], whole[second:]) if piece))
                assert echo.bodies == ([BODY, b""] if tail else [BODY])
                assert not owner.is_closed


async def test_a_body_arrives_whole_byte_by_byte_and_the_connection_goes_on() -> None:
    echo = Echo()
    async with wire(echo) as owner:
        for _ in range(2):
            whole = HEAD % len(BODY) + BODY
            for at in range(len(whole)):
                await owner.protocol.handle(RawData(whole[at : at + 1]))
            await wait_all_tasks_blocked()
        chunked = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunked += b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n"
        for at in range(len(chunked)):
            await owner.protocol.handle(RawData(chunked[at : at + 1]))
        await wait_all_tasks_blocked()
        assert echo.bodies == [BODY, BODY, b"abcde"]
        assert owner.log == ["began", "ended"] * 3


async def test_a_body_is_not_held_back_for_its_end() -> None:
    seen: list[bytes] = []

    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        while True:
            seen.append((await receive())["body"])

    async with wire(app) as owner:
        await owner.feed(HEAD % 10, b"abc", b"def")
        assert b"".join(seen) == b"abcdef"


async def test_a_pipelined_body_in_many_pieces_keeps_its_order() -> None:
    """More pieces than the queue holds, most of them behind the head of a request that is being answered."""
    gate = trio.Event()
    bodies: list[bytes] = []

    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        bodies.append(await whole_body(receive))
        await gate.wait()
        await reply(send, b"ok")

    pieces = b"".join(b"4\r\n%04d\r\n" % number for number in range(50))
    async with wire(app) as owner:
        second = b"POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces
        async with trio.open_nursery() as nursery:
            nursery.start_soon(owner.feed, GET % b"a" + second)
            await wait_all_tasks_blocked()
            gate.set()
            nursery.start_soon(owner.feed, b"0\r\n\r\n")
        assert bodies == [b"", b"".join(b"%04d" % number for number in range(50))]
        assert owner.sent.count(b"HTTP/1.1 200") == 2


async def test_requests_that_arrive_together_are_answered_in_order() -> None:
    echo = Echo()
    async with wire(echo) as owner:
        await owner.feed(GET % b"a" + GET % b"b" + GET % b"c")
        assert [scope["raw_path"] for scope in echo.scopes] == [b"/a", b"/b", b"/c"]
        assert owner.log == ["began", "ended, more", "began", "ended, more", "began", "ended"]
        assert owner.sent.count(b"HTTP/1.1 200 OK\r\n") == 3


async def test_header_fields_come_as_they_were_sent() -> None:
    echo = Echo()
    async with wire(echo) as owner:
        fields = b"Host: x\r\nX-CaSe: a\r\nx-case:b\r\nX-L1: caf\xe9\r\nX-Empty:\r\n"
        await owner.feed(b"GET /a%2Fb?q=%41 HTTP/1.1\r\n" + fields + b"\r\n")
        scope = echo.scopes[0]
        assert list(scope["headers"]) == [
            (b"Host", b"x"), (b"X-CaSe", b"a"), (b"x-case", b"b"), (b"X-L1", b"caf\xe9"), (b"X-Empty", b""),
        ]  # fmt: skip
        assert (scope["raw_path"], scope["query_string"]) == (b"/a%2Fb", b"q=%41")


async def test_a_head_waits_for_its_first_body_bytes_or_for_a_flush() -> None:
    go = trio.Event()

    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await go.wait()
        await send({"type": "http.response.body", "body": b"ok", "more_body": False})

    async with wire(app) as owner:
        await owner.feed(GET % b"a")
        assert owner.sent == b""
        await owner.protocol.flush()
        assert owner.sent.endswith(b"\r\n\r\n")
        go.set()
        await wait_all_tasks_blocked()
        assert owner.sent.endswith(b"\r\n\r\nok")
        await owner.feed(GET % b"b")
        assert owner.writes[-1].startswith(b"HTTP/1.1 200")
        assert owner.writes[-1].endswith(b"ok"), "head and body in one write"


@pytest.mark.parametrize(("status", "line"), [(529, b"529 Overloaded"), (404, b"404 Not Found"), (599, b"599 ")])
async def test_a_reply_is_ours_alone(status: int, line: bytes) -> None:
    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await reply(send, b"", status)

    async with wire(app) as owner:
        await owner.feed(GET % b"a")
        assert owner.sent == b"HTTP/1.1 " + line + b"\r\ncontent-length: 0\r\n\r\n", "no date, no server"


async def test_the_last_reply_says_so() -> None:
    async with wire(Echo()) as owner:
        owner.closes_after_reply = True
        await owner.feed(GET % b"a" + GET % b"b")
        assert owner.sent.count(b"HTTP/1.1 200") == 1
        assert b"connection: close" in owner.sent
        assert owner.is_closed


async def test_a_reply_that_did_not_wait_for_the_body_ends_the_connection() -> None:
    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await reply(send, b"no", 413)

    async with wire(app) as owner:
        await owner.feed(HEAD % 1000, b"x" * 10)
        assert owner.sent.startswith(b"HTTP/1.1 413")
        assert b"connection: close" in owner.sent, "or its client would ask again on it"
        assert owner.is_closed
        await owner.feed(b"x" * 990, GET % b"b")
        assert owner.sent.count(b"HTTP/1.1") == 1


async def test_continue_is_said_once_and_only_when_somebody_wants_the_body() -> None:
    async with wire(Echo()) as owner:
        await owner.feed((HEAD % 2).replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        assert owner.sent == b""
        await owner.protocol.send_continue()
        assert owner.sent == b"HTTP/1.1 100 \r\n\r\n"
        await owner.protocol.send_continue()
        await owner.feed(b"ok")
        assert owner.sent.count(b"HTTP/1.1 100") == 1
        assert owner.sent.endswith(b"ok")


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"nonsense\r\n\r\n", 400, "bad_framing"),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400, "bad_framing"),
        (b"GET /a HTTP/1.1\r\n\r\n", 400, "bad_framing"),
        (b"GET /a HTTP/1.1\r\nHost: x\r\nHost : y\r\n\r\n", 400, "bad_framing"),
        (b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 2\r\n\r\n", 400, "bad_framing"),
        (b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400, "bad_framing"),
        (b"GET /a HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 70_000, 431, "head_too_large"),
    ],
)
async def test_what_is_no_request_is_refused_and_the_connection_ends(data: bytes, status: int, code: str) -> None:
    echo = Echo()
    async with wire(echo) as owner:
        await owner.feed(data)
        head, _, body = owner.sent.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d" % status)
        assert b"connection: close" in head
        assert b"x-tokenpak-error: " + code.encode() in head
        assert json.loads(body)["error"]["code"] == code
        assert owner.is_closed
        assert echo.scopes == []


async def test_broken_chunks_end_the_connection_and_never_the_body() -> None:
    ended: list[bytes] = []

    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        ended.append(await whole_body(receive))

    async with wire(app) as owner:
        await owner.feed(b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")
        assert owner.is_closed
        assert ended == []
        assert owner.sent.startswith(b"HTTP/1.1 400")


async def test_a_head_that_never_ends_is_answered_408() -> None:
    async with wire(Echo()) as owner:
        await owner.feed(b"GET /a HTTP/1.1\r\nHo")
        await owner.protocol.send_timeout()
        assert owner.sent.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert b"slow_head" in owner.sent


@pytest.mark.parametrize("starts", [False, True])
async def test_an_application_that_crashes_is_a_500_or_no_end(
    caplog: pytest.LogCaptureFixture, *, starts: bool
) -> None:
    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if starts:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
            await send({"type": "http.response.body", "body": b"ok", "more_body": True})
        raise ZeroDivisionError

    async with wire(app) as owner:
        await owner.feed(GET % b"a")
        assert owner.sent.startswith(b"HTTP/1.1 200" if starts else b"HTTP/1.1 500")
        assert owner.is_closed
        assert "exchange_crashed" in caplog.messages


async def test_a_client_that_leaves_is_noticed_and_its_body_never_ends_well() -> None:
    broken: list[BaseException] = []

    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        try:
            await whole_body(receive)
        except trio.EndOfChannel as exc:
            broken.append(exc)

    async with wire(app) as owner:
        await owner.feed(HEAD % 10, b"abc")
        await owner.protocol.handle(Closed())
        await wait_all_tasks_blocked()
        assert owner.left == 1
        assert len(broken) == 1


async def test_an_upgrade_is_a_request_like_any_other() -> None:
    echo = Echo()
    async with wire(echo) as owner:
        upgrade = b"Connection: Upgrade\r\nUpgrade: %b\r\n"
        for kind in (b"h2c", b"websocket"):
            await owner.feed(b"GET / HTTP/1.1\r\nHost: x\r\n" + upgrade % kind + b"\r\n")
        assert b"101" not in owner.sent
        assert [scope["type"] for scope in echo.scopes][:1] == ["http"]
