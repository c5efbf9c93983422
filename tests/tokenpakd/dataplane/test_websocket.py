"""Handshakes under the guard's rules, an honest answer to every message, a proper goodbye."""

import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
import trio_websocket
from trio.testing import MockClock, wait_all_tasks_blocked
from trio_websocket import ConnectionClosed, WebSocketConnection

from tests.tokenpakd.dataplane.fakes import POLICY
from tests.tokenpakd.dataplane.loopback import connect
from tokenpakd.dataplane import websocket
from tokenpakd.dataplane.websocket import WebSocketDoor


class Doorway:
    """The door on loopback."""

    def __init__(self, door: WebSocketDoor, port: int) -> None:
        self.door, self.port = door, port

    @asynccontextmanager
    async def talk(self) -> AsyncIterator[WebSocketConnection]:
        stream = (await connect(self.port)).stream
        host = f"127.0.0.1:{self.port}"
        try:
            async with trio.open_nursery() as nursery:
                found = await trio_websocket.wrap_client_stream(nursery, stream, host, "/ws")
                yield found
                await found.aclose()
                nursery.cancel_scope.cancel()
        finally:
            stream.socket.close()


@asynccontextmanager
async def doorway(*, uid: int | None = 1000) -> AsyncIterator[Doorway]:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    door = WebSocketDoor(lambda: POLICY, lambda sock: uid)
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(door.serve, listeners, handler_nursery=nursery))
        yield Doorway(door, listeners[0].socket.getsockname()[1])
        nursery.cancel_scope.cancel()


def read(message: str | bytes) -> str:
    assert isinstance(message, bytes)
    return str(json.loads(gzip.decompress(message))["error"]["type"])


async def test_each_message_has_its_answer_and_the_connection_stays() -> None:
    async with doorway() as ours, ours.talk() as talk:
        for message, kind in (
            ('{"model":"m"}', "not_served"), ("{", "bad_json"), (b"\x1f\x8b", "bad_json"), ("[" * 100_000, "bad_json"),
            (b"{}", "not_served"),
        ):  # fmt: skip
            await talk.send_message(message)
            assert read(await talk.get_message()) == kind
        assert ours.door.connections == 1


HANDSHAKE = (
    b"GET %b HTTP/1.1\r\nHost: %b\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n%b"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


async def handshake(ours: Doorway, path: bytes = b"/ws", host: bytes = b"", fields: bytes = b"") -> bytes:
    """Ask for a connection; return what is said."""
    client = await connect(ours.port)
    await client.send(HANDSHAKE % (path, host or b"127.0.0.1:%d" % ours.port, fields))
    head = await client.until(b"\r\n\r\n")
    said = b"" if head.startswith(b"HTTP/1.1 101") else await client.rest()
    client.close()
    return head + said


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        (b"/other", b"", 404),
        (b"/", b"", 404),
        (b"/ws", b"Origin: https://evil.example\r\n", 403),
        (b"/ws", b"Origin: null\r\n", 403),
        (b"/ws", b"Sec-Fetch-Site: cross-site\r\n", 403),
    ],
)
async def test_pages_and_other_paths_are_refused_at_the_handshake(path: bytes, fields: bytes, status: int) -> None:
    async with doorway() as ours:
        said = await handshake(ours, path, fields=fields)
        assert said.startswith(b"HTTP/1.1 %d" % status)
        assert b"tokenpak: " in said
        assert ours.door.connections == 0


async def test_another_user_is_refused_at_the_handshake() -> None:
    async with doorway(uid=65534) as ours:
        assert (await handshake(ours)).startswith(b"HTTP/1.1 403")


@pytest.mark.parametrize(("host", "status"), [(b"evil.example:%d", 403), (b"localhost:%d", 101), (b"localhost", 403)])
async def test_the_host_must_be_one_of_ours_with_our_port(host: bytes, status: int) -> None:
    async with doorway() as ours:
        said = await handshake(ours, host=host % ours.port if b"%d" in host else host)
        assert said.startswith(b"HTTP/1.1 %d" % status)


async def test_what_is_no_handshake_costs_nobody_else_anything() -> None:
    async with doorway() as ours:
        for data in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\r\n\r\n", b"\0" * 100_000):
            client = await connect(ours.port)
            await client.send(data)
            await client.stream.send_eof()
            await client.rest()
            client.close()
        async with ours.talk() as talk:
            await talk.send_message("{}")
            assert read(await talk.get_message()) == "not_served"


async def test_a_handshake_that_does_not_come_is_not_waited_for(mock_clock: MockClock) -> None:
    async with doorway() as ours:
        client = await connect(ours.port)
        await client.send(b"GET /ws HTTP/1.1\r\n")
        await wait_all_tasks_blocked(0.01)
        mock_clock.jump(6)
        assert await client.rest() == b""
        client.close()


async def test_a_talk_lasts_longer_than_its_handshake_may(mock_clock: MockClock) -> None:
    async with doorway() as ours, ours.talk() as talk:
        mock_clock.jump(3600)
        await wait_all_tasks_blocked(0.01)
        await talk.send_message("{}")
        assert read(await talk.get_message()) == "not_served"


async def test_a_message_over_the_cap_is_closed_1009(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "MESSAGE_BYTES_MAX", 1000)
    async with doorway() as ours, ours.talk() as talk:
        await talk.send_message("x" * 2000)
        with pytest.raises(ConnectionClosed):
            await talk.get_message()
        assert talk.closed is not None
        assert talk.closed.code == 1009


async def test_one_talk_too_many_is_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "CONNECTIONS_MAX", 1)
    async with doorway() as ours, ours.talk():
        client = await connect(ours.port)
        assert await client.rest() == b""
        client.close()
        assert ours.door.connections == 1


async def test_a_drain_says_goodbye() -> None:
    async with doorway() as ours, ours.talk() as talk:
        await talk.send_message("{}")
        await talk.get_message()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ours.door.close_all)
            with pytest.raises(ConnectionClosed):
                await talk.get_message()
        assert talk.closed is not None
        assert talk.closed.code == 1001
        await wait_all_tasks_blocked(0.01)
        assert ours.door.connections == 0
