import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from tests.tokenpakd.control.fakes import DAEMON, VERBS
from tokenpakd.control import server
from tokenpakd.control.dispatch import table
from tokenpakd.control.server import CLIENTS_MAX, WATCHERS_MAX, Server
from tokenpakd.ipc import unix_socket
from tokenpakd.ipc.framing import CONTROL_LINE_MAX_BYTES


class Client:
    """One connection to the server under test."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.held = b""

    async def line(self) -> Any:
        """Yield the next line, parsed; None at the end."""
        with trio.fail_after(5):
            while b"\n" not in self.held:
                data = await self.stream.receive_some(65536)
                if not data:
                    return None
                self.held += data
        line, _, self.held = self.held.partition(b"\n")
        return json.loads(line)

    async def ask(self, method: str, **params: object) -> Any:
        """Send a request and yield the next line."""
        await self.stream.send_all(request(method, **params))
        return await self.line()


def request(method: str, **params: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n"


class Lab:
    """A running server and its clients."""

    def __init__(self, path: Path, stack: AsyncExitStack) -> None:
        self.path = path
        self.stack = stack
        self.uid: int | None = os.geteuid()

    async def connect(self, *, greeted: bool = True) -> Client:
        """Connect, and read the hello."""
        client = Client(await self.stack.enter_async_context(await trio.open_unix_socket(self.path)))
        if greeted:
            hello = await client.line()
            assert hello == {"jsonrpc": "2.0", "method": "hello", "params": {"version": "1.2.3", "protocol": 1}}
        return client


@pytest.fixture
async def lab(tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[Lab]:
    async with AsyncExitStack() as stack:
        found = Lab(tmp_path / "s", stack)
        listener = unix_socket.bind(found.path)
        await nursery.start(Server(DAEMON, table(VERBS), uid_of=lambda _: found.uid).run, listener)
        yield found
        nursery.cancel_scope.cancel()


async def test_one_connection_asks_as_often_as_it_likes(lab: Lab) -> None:
    client = await lab.connect()
    for word in ("a", "b"):
        assert (await client.ask("echo", word=word))["result"] == {"word": word}
    await client.stream.send_all(request("echo", word="c") + request("fly") + b"nonsense\n" + request("echo", word="d"))
    replies = [await client.line() for _ in range(4)]
    assert [reply.get("result", {}).get("word") for reply in replies] == ["c", None, None, "d"]


async def test_a_request_that_comes_byte_by_byte_is_answered(lab: Lab) -> None:
    client = await lab.connect()
    for byte in request("echo", word="é"):
        await client.stream.send_all(bytes([byte]))
    assert (await client.line())["result"] == {"word": "é"}


@pytest.mark.parametrize("uid", [None, 65534])
async def test_a_foreign_peer_is_shown_the_door_without_a_word(lab: Lab, uid: int | None) -> None:
    lab.uid = uid
    client = await lab.connect(greeted=False)
    assert await client.line() is None


async def test_a_line_over_the_limit_ends_its_connection_only(lab: Lab) -> None:
    other, client = await lab.connect(), await lab.connect()
    await client.stream.send_all(b"x" * (CONTROL_LINE_MAX_BYTES + 1))
    assert "over 65536 bytes" in (await client.line())["error"]["message"]
    assert await client.line() is None
    assert (await other.ask("echo", word="still"))["result"] == {"word": "still"}


async def test_a_peer_that_says_nothing_is_cut_off_while_others_go_on(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "FIRST_LINE_S", 0.05)
    silent = await lab.connect()
    assert "no line within" in (await silent.line())["error"]["message"]
    assert await silent.line() is None
    assert (await (await lab.connect()).ask("echo", word="a"))["result"] == {"word": "a"}


async def test_a_half_line_is_no_line(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "FIRST_LINE_S", 0.1)
    client = await lab.connect()
    await client.stream.send_all(request("echo", word="a")[:-1])
    assert "no line within" in (await client.line())["error"]["message"]


async def test_one_client_too_many_is_told_so_and_places_come_free(lab: Lab) -> None:
    held = [await lab.connect() for _ in range(CLIENTS_MAX)]
    extra = await lab.connect(greeted=False)
    assert "too many clients" in (await extra.line())["error"]["message"]
    assert (await held[-1].ask("echo", word="a"))["result"] == {"word": "a"}
    await held[0].stream.aclose()
    await trio.testing.wait_all_tasks_blocked()
    assert (await (await lab.connect()).ask("echo", word="b"))["result"] == {"word": "b"}


async def test_a_watching_verb_sends_until_it_has_nothing_more(lab: Lab) -> None:
    client = await lab.connect()
    assert (await client.ask("count", word="n"))["result"] == {}
    events = [await client.line() for _ in range(3)]
    assert [(event["method"], event["params"]["word"]) for event in events] == [
        ("count", "n0"),
        ("count", "n1"),
        ("count", "n2"),
    ]
    assert await client.line() is None


async def test_watchers_leave_places_for_those_who_ask(lab: Lab) -> None:
    watchers = [await lab.connect() for _ in range(WATCHERS_MAX)]
    for watcher in watchers:
        assert (await watcher.ask("count", word="for ever"))["result"] == {}
    late = await lab.connect()
    assert "watch already" in (await late.ask("count", word="w"))["error"]["message"]
    assert (await (await lab.connect()).ask("echo", word="w"))["result"] == {"word": "w"}
    await watchers[0].stream.aclose()
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert (await (await lab.connect()).ask("count", word="w"))["result"] == {}


async def test_a_watching_verb_ends_with_its_peer(lab: Lab) -> None:
    for _ in range(CLIENTS_MAX + 1):  # each leaves a place behind, or the last would be one too many
        client = await lab.connect()
        await client.ask("count", word="for ever")
        await client.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()


async def test_a_peer_that_does_not_read_is_cut_off(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "WRITE_S", 0.1)
    deaf, other = await lab.connect(), await lab.connect()
    await deaf.stream.send_all(request("flood"))
    await trio.sleep(0.3)
    assert (await other.ask("echo", word="a"))["result"] == {"word": "a"}
    with trio.fail_after(5):
        while await deaf.stream.receive_some(1 << 20):
            pass


async def test_a_watching_verb_that_breaks_says_so(lab: Lab) -> None:
    client = await lab.connect()
    await client.ask("watch_broken")
    assert (await client.line())["params"] == {"word": "first"}
    assert (await client.line())["error"]["message"] == "watch_broken failed: RuntimeError"
    assert await client.line() is None
    assert (await (await lab.connect()).ask("echo", word="a"))["result"] == {"word": "a"}
