"""One connection to a provider: stale or not, reading and writing under deadlines."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.tokenpakd.dataplane.loopback import OK, Peer
from tokenpakd.dataplane import upstream_connection as door
from tokenpakd.dataplane.call import Origin
from tokenpakd.dataplane.response_parser import ResponseParser
from tokenpakd.dataplane.upstream_connection import UpstreamConnection
from tokenpakd.exchange.faults import Cut, TimedOut

ORIGIN = Origin("http", "127.0.0.1", 1)


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[UpstreamConnection, Peer]]:
    """Yield our end and the provider's of one TCP connection."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    ours = await trio.open_tcp_stream("127.0.0.1", listeners[0].socket.getsockname()[1])
    async with listeners[0]:
        theirs = Peer(await listeners[0].accept())
    connection = UpstreamConnection(ORIGIN, ours)
    try:
        yield connection, theirs
    finally:
        connection.close()
        theirs.close()


async def test_a_quiet_connection_is_fresh_for_a_while() -> None:
    async with pair() as (ours, _):
        assert not ours.is_stale(0.0)
        assert not ours.is_stale(door.IDLE_S)
        assert ours.is_stale(door.IDLE_S + 1)


@pytest.mark.parametrize("how", ["close", "reset", "half-close", "bytes"])
async def test_a_connection_whose_other_end_did_something_is_stale(how: str) -> None:
    async with pair() as (ours, theirs):
        match how:
            case "close":
                theirs.close()
            case "reset":
                theirs.reset()
            case "half-close":
                await theirs.stream.send_eof()
            case _:
                await theirs.send(b"x")
        await wait_all_tasks_blocked()
        assert ours.is_stale(0.0)


async def test_reads_what_comes_and_the_end() -> None:
    async with pair() as (ours, theirs):
        await theirs.send(b"abc")
        assert await door.receive(ours, 1) == b"abc"
        await theirs.stream.send_eof()
        assert await door.receive(ours, None) == b""


async def test_a_broken_connection_is_cut() -> None:
    async with pair() as (ours, theirs):
        theirs.reset()
        await wait_all_tasks_blocked()
        with pytest.raises(Cut, match=r"http://127\.0\.0\.1:1 broke"):
            await door.receive(ours, 1)


async def test_silence_is_bounded(autojump_clock: MockClock) -> None:
    async with pair() as (ours, _):
        with pytest.raises(TimedOut, match=r"silent for 2\.5 s"):
            await door.receive(ours, 2.5)


async def test_head_and_body_go_out_whole() -> None:
    body = bytes(range(256)) * 900
    async with pair() as (ours, theirs), trio.open_nursery() as nursery:
        nursery.start_soon(door.send_whole, ours, b"HEAD\r\n\r\n", body)
        assert await theirs.exactly(8 + len(body)) == b"HEAD\r\n\r\n" + body


async def test_what_was_answered_can_be_read_after_the_other_end_closed() -> None:
    async with pair() as (ours, theirs):
        await theirs.send(OK)
        theirs.close()
        await wait_all_tasks_blocked()
        for _ in range(3):
            await door.send_whole(ours, b"x" * 1000, b"")
        parser = ResponseParser(is_head_request=False)
        assert await door.read_head(ours, parser, 1) == b"ok"
        assert parser.is_complete


async def test_a_head_is_read_byte_by_byte_with_the_body_that_came_along() -> None:
    async with pair() as (ours, theirs), trio.open_nursery() as nursery:

        async def drip() -> None:
            head, end = OK[:-6], OK[-6:]
            for at in range(len(head)):
                await theirs.send(head[at : at + 1])
                await wait_all_tasks_blocked()
            await theirs.send(end)

        nursery.start_soon(drip)
        assert await door.read_head(ours, ResponseParser(is_head_request=False), None) == b"ok"


async def test_a_connection_owes_bytes_until_its_request_is_sent() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"abc"
        await go.wait()

    go = trio.Event()
    async with pair() as (ours, theirs), trio.open_nursery() as nursery:
        parser = ResponseParser(is_head_request=False)
        nursery.start_soon(door.send_watching, ours, b"HEAD", pieces(), parser, 1.0)
        assert await theirs.exactly(7) == b"HEADabc"
        assert ours.owes_bytes
        go.set()
        await wait_all_tasks_blocked()
        assert not ours.owes_bytes
        await theirs.send(OK)


async def test_closing_twice_is_closing() -> None:
    async with pair() as (ours, _):
        assert ours.socket.family == socket.AF_INET
        ours.close()
        ours.close()
