"""The lab itself: a fault that is not what it says would make every test above it worthless."""

import threading
from collections.abc import Callable

import pytest

from tests.playbook.fault_steps import Body, Chunk, Drip, Fin, Head, LastChunk, Reset, Send, Stall, Step, Until
from tests.playbook.fault_upstream import FaultUpstream, refused_url
from tests.playbook.raw_client import Broken, End, RawClient, ask


def test_records_head_and_body_exactly_for_length_and_chunks() -> None:
    with FaultUpstream() as upstream, RawClient(upstream.port) as client:
        client.request("POST", "/a?q=1", headers=[("X-Odd", "  kept  ")], body=b"\x00\xff")
        assert client.reply().status == 200
        client.send(b"POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
        assert client.reply().status == 200
        first, second = upstream.wait_for_requests(2)
    assert (first.method, first.target, first.body, first.body_bytes) == ("POST", "/a?q=1", b"\x00\xff", 2)
    assert b"X-Odd:   kept  \r\n" in first.head
    assert (second.target, second.body, second.connection) == ("/b", b"abc", first.connection)


@pytest.mark.parametrize(
    ("steps", "end", "body"),
    [
        ((Head(chunked=True), Chunk(b"a"), Chunk(b"b"), LastChunk()), End.COMPLETE, b"ab"),
        ((Head(chunked=True), Chunk(b"a"), Fin()), End.TRUNCATED, b"a"),
        ((Head(chunked=True), Send(b"5\r\nab"), Fin()), End.TRUNCATED, b"ab"),
        ((Head(length=5), Send(b"abc"), Fin()), End.TRUNCATED, b"abc"),
        ((Head(), Send(b"abc"), Fin()), End.CLOSED, b"abc"),
        ((Head(length=2), Drip(b"ab", 0.001)), End.COMPLETE, b"ab"),
    ],
)
def test_client_tells_how_a_body_ended(steps: tuple[Step, ...], end: End, body: bytes) -> None:
    with FaultUpstream() as upstream:
        upstream.script("/x", *steps)
        reply = ask(upstream.port, "/x")
    assert (reply.end, reply.body) == (end, body)


def test_a_reset_before_the_head_is_no_answer() -> None:
    with FaultUpstream() as upstream:
        upstream.queue(Reset())
        with pytest.raises(Broken):
            ask(upstream.port, "/x")


def test_queued_scripts_answer_in_order_and_informational_heads_are_told_apart() -> None:
    with FaultUpstream() as upstream, RawClient(upstream.port) as client:
        upstream.queue(Send(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"), Body(b"one"))
        upstream.queue(Body(b"two", status=429))
        client.request("GET", "/")
        one = client.reply()
        client.request("GET", "/")
        two = client.reply()
    assert (one.informational, one.body, two.status, two.body) == ([103], b"one", 429, b"two")


@pytest.mark.parametrize(("leave", "how"), [(RawClient.close, "fin"), (RawClient.reset, "rst")])
def test_says_when_and_how_the_peer_left(leave: Callable[[RawClient], None], how: str) -> None:
    with FaultUpstream() as upstream:
        upstream.script("/x", Head(chunked=True), Stall())
        client = RawClient(upstream.port)
        client.request("GET", "/x")
        client.head()
        leave(client)
        upstream.wait(upstream.last.closed.is_set, "the close")
        assert upstream.last.closed_how == how


def test_a_script_waits_for_its_event() -> None:
    go = threading.Event()
    with FaultUpstream() as upstream, RawClient(upstream.port) as client:
        upstream.script("/x", Head(chunked=True), Chunk(b"a"), Until(go), Chunk(b"b"), LastChunk())
        client.request("GET", "/x")
        reply = client.head()
        client.read_until(reply, b"a")
        assert not upstream.last.answered.is_set()
        go.set()
        client.read_body(reply)
    assert (reply.chunks, reply.end) == ([b"a", b"b"], End.COMPLETE)


def test_nothing_listens_behind_a_refused_url() -> None:
    with pytest.raises(ConnectionRefusedError):
        RawClient(int(refused_url().rpartition(":")[2]))
