"""Client connections on loopback: order, deadlines, ends."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.tokenpakd.dataplane.loopback import serving, whole_body
from tokenpakd.dataplane.connections import Connection, Phase, Timing

GET = b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n"
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Scope = dict[str, Any]


async def start(send: Send, status: int = 200, *fields: tuple[bytes, bytes]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(fields)})


async def body(send: Send, data: bytes, *, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": more})


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the path and the length of the body."""
    said = scope["raw_path"] + b" %d" % len(await whole_body(receive))
    await start(send, 200, (b"content-length", b"%d" % len(said)))
    await body(send, said)


def connection_of(scope: Scope) -> Connection:
    found = scope["state"]["connection"]
    assert isinstance(found, Connection)
    return found


async def settle() -> None:
    """Wait until every task waits, what is in the sockets included."""
    for _ in range(3):
        await wait_all_tasks_blocked(0.002)


async def test_a_connection_is_kept_and_knows_who_called() -> None:
    seen: list[tuple[int, int | None]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((connection_of(scope).port, connection_of(scope).peer_uid))
        await echo(scope, receive, send)

    async with serving(app) as ours, ours.client() as client:
        for name in (b"a", b"b"):
            await client.send(GET % name)
            assert await client.reply() == (200, b"/%b 0" % name)
        assert len(ours.server.connections) == 1
        assert seen == [(ours.port, 1000)] * 2


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with serving(echo) as ours, ours.client() as client:
        await client.send(GET % b"a" + b"POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" + GET % b"c")
        assert [await client.reply() for _ in range(3)] == [(200, b"/a 0"), (200, b"/b 3"), (200, b"/c 0")]


async def test_a_long_body_arrives_byte_for_byte() -> None:
    whole = bytes(range(256)) * 20_000
    got: list[bytes] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        got.append(await whole_body(receive))
        await start(send, 200, (b"content-length", b"0"))
        await body(send, b"")

    async with serving(app) as ours, ours.client() as client:
        for _ in range(2):
            await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(whole) + whole)
            assert await client.reply() == (200, b"")
        assert got == [whole, whole]


@pytest.mark.parametrize("how", ["close", "reset", "half-close"])
@pytest.mark.parametrize("pipelined", [b"", GET % b"next", b"GET /ha"], ids=["nothing", "request", "half a request"])
async def test_a_client_that_leaves_is_noticed(how: str, pipelined: bytes) -> None:
    """Also while bytes of its next request wait."""
    left = trio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with trio.CancelScope() as cancelled:
            connection_of(scope).watch(cancelled)
            await trio.sleep_forever()
        left.set()

    async with serving(app) as ours, ours.client() as client:
        await client.send(GET % b"a" + pipelined)
        await settle()
        if how == "half-close":
            await client.stream.send_eof()
        elif how == "reset":
            client.reset()
        else:
            client.close()
        with trio.fail_after(5):
            await left.wait()
        await settle()
        assert ours.server.connections == set()


async def test_a_flood_behind_a_request_ends_the_connection() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with trio.CancelScope() as cancelled:
            connection_of(scope).watch(cancelled)
            await trio.sleep_forever()

    async with serving(app) as ours, ours.client() as client:
        await client.send(GET % b"a")
        with pytest.raises(trio.BrokenResourceError):
            # What the sockets' own buffers take comes on top.
            for _ in range(30_000_000 // 80_000):
                await client.send(GET % (b"b" * 4000) * 20)


async def test_a_client_that_does_not_read_is_cut_after_its_deadline(mock_clock: MockClock) -> None:
    left = trio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with trio.CancelScope() as cancelled:
            connection_of(scope).watch(cancelled)
            await start(send)
            while True:
                await body(send, b"x" * 1_000_000, more=True)
                await trio.lowlevel.checkpoint()
        left.set()

    async with serving(app, timing=Timing(write_stall_s=30)) as ours, ours.client(receive_buffer=4096) as client:
        await client.send(GET % b"a")
        await settle()
        mock_clock.jump(29)
        await settle()
        assert not left.is_set()
        mock_clock.jump(2)
        with trio.fail_after(5):
            await left.wait()
        await settle()
        assert ours.server.connections == set()


async def test_a_head_that_does_not_end_is_408_and_one_that_has_not_begun_is_not(mock_clock: MockClock) -> None:
    async with serving(echo) as ours, ours.client() as slow, ours.client() as idle:
        await idle.send(GET % b"a")
        assert await idle.reply() == (200, b"/a 0")
        await slow.send(b"GET /a HTTP/1.1\r\nHo")
        await settle()
        mock_clock.jump(9)
        await settle()
        assert len(ours.server.connections) == 2
        mock_clock.jump(3)
        status, said = await slow.reply()
        assert status == 408
        assert b"slow_head" in said
        assert await slow.rest() == b""
        await idle.send(GET % b"b")
        assert await idle.reply() == (200, b"/b 0")


async def test_a_drip_does_not_extend_the_deadline_of_a_head(mock_clock: MockClock) -> None:
    async with serving(echo) as ours, ours.client() as slow:
        for byte in b"GET /a HTTP":
            await slow.send(bytes([byte]))
            await settle()
            mock_clock.jump(1)
        await settle()
        assert (await slow.reply())[0] == 408


async def test_an_idle_connection_is_kept_for_minutes_and_then_closed(mock_clock: MockClock) -> None:
    async with serving(echo, timing=Timing(idle_s=900)) as ours, ours.client() as client:
        await client.send(GET % b"a")
        await client.reply()
        mock_clock.jump(890)
        await settle()
        await client.send(GET % b"b")
        assert await client.reply() == (200, b"/b 0")
        mock_clock.jump(890)
        await settle()
        assert len(ours.server.connections) == 1
        mock_clock.jump(15)
        assert await client.rest() == b""
        await settle()
        assert ours.server.connections == set()


async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
    connection_of(scope).close_after_reply()
    await start(send, 413, (b"content-length", b"2"))
    await body(send, b"no")


async def test_a_client_that_is_refused_in_the_middle_of_its_upload_reads_why() -> None:
    async with serving(refusing) as ours, ours.client() as client:
        await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n")
        await client.send(b"x" * 5_000_000)
        assert await client.until(b"\r\n\r\n")
        assert await client.exactly(2) == b"no"
        assert await client.rest() == b""


async def test_who_goes_on_sending_after_a_refusal_is_cut_after_a_while(mock_clock: MockClock) -> None:
    async with serving(refusing, timing=Timing(linger_s=5)) as ours, ours.client() as client:
        await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n")
        assert (await client.reply())[0] == 413
        await settle()
        assert [connection.phase for connection in ours.server.connections] == [Phase.LINGER]
        mock_clock.jump(7)
        await settle()
        assert ours.server.connections == set()


@pytest.mark.parametrize("length", [(b"content-length", b"100"), None])
async def test_an_aborted_reply_is_visibly_cut(length: tuple[bytes, bytes] | None) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send, 200, *([length] if length else []))
        await body(send, b"part", more=True)
        await connection_of(scope).abort(is_close_delimited=False)

    async with serving(app) as ours, ours.client() as client:
        await client.send(GET % b"a")
        said = await client.rest()
        assert said.endswith(b"part" if length else b"4\r\npart\r\n"), "no last chunk, not all of the length"


async def test_an_aborted_reply_that_only_the_close_would_end_is_reset() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send)
        await body(send, b"part", more=True)
        await settle()
        await connection_of(scope).abort(is_close_delimited=True)

    async with serving(app) as ours, ours.client() as client:
        await client.send(b"GET /a HTTP/1.0\r\nHost: x\r\n\r\n")
        assert (await client.until(b"part")).endswith(b"part")
        with pytest.raises(trio.BrokenResourceError):
            await client.stream.receive_some(100)


async def test_an_abort_before_a_body_byte_still_sends_the_head() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send, 200, (b"content-length", b"5"))
        await connection_of(scope).abort(is_close_delimited=False)

    async with serving(app) as ours, ours.client() as client:
        await client.send(GET % b"a")
        assert (await client.rest()).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_one_connection_too_many_is_503_and_room_is_made_again() -> None:
    async with serving(echo, max_connections=1) as ours:
        async with ours.client() as first, ours.client() as second:
            await first.send(GET % b"a")
            assert await first.reply() == (200, b"/a 0")
            await second.send(GET % b"b")
            status, said = await second.reply()
            assert status == 503
            assert b"max_connections" in said
            await second.stream.send_eof()
            assert await second.rest() == b""
            assert ours.server.refused_connections == 1
            await first.send(GET % b"c")
            assert await first.reply() == (200, b"/c 0")
        await settle()
        async with ours.client() as third:
            await third.send(GET % b"d")
            assert await third.reply() == (200, b"/d 0")


@pytest.mark.parametrize("close_idle", [False, True])
async def test_a_drain_answers_what_is_under_way_and_says_close(*, close_idle: bool) -> None:
    go = trio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await go.wait()
        await echo(scope, receive, send)

    async with serving(app) as ours, ours.client() as busy, ours.client() as idle:
        await busy.send(GET % b"a")
        await settle()
        ours.server.drain(close_idle=close_idle)
        go.set()
        head = await busy.until(b"\r\n\r\n")
        assert b"connection: close" in head
        assert await busy.rest() == b"/a 0"
        if close_idle:
            assert await idle.rest() == b""
        else:
            await idle.send(GET % b"b")
            assert b"connection: close" in await idle.until(b"\r\n\r\n")
            assert await idle.rest() == b"/b 0"


async def test_an_application_that_crashes_costs_one_request(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["raw_path"] == b"/bad":
            raise ZeroDivisionError
        await echo(scope, receive, send)

    async with serving(app) as ours, ours.client() as bad, ours.client() as good:
        await bad.send(GET % b"bad")
        assert (await bad.reply())[0] == 500
        assert await bad.rest() == b""
        await good.send(GET % b"a")
        assert await good.reply() == (200, b"/a 0")
        assert "exchange_crashed" in caplog.messages


async def test_a_connection_that_crashes_costs_itself_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    original = Connection._read
    crashed: list[Connection] = []

    async def crash_once(self: Connection) -> None:
        if not crashed:
            crashed.append(self)
            raise ZeroDivisionError
        await original(self)

    monkeypatch.setattr(Connection, "_read", crash_once)
    async with serving(echo) as ours, ours.client() as bad, ours.client() as good:
        assert await bad.rest() == b""
        await good.send(GET % b"a")
        assert await good.reply() == (200, b"/a 0")
        assert "connection_crashed" in caplog.messages
        assert len(ours.server.connections) == 1
