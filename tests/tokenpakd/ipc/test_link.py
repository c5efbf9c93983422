import socket

import pytest
import trio
from trio.testing import memory_stream_pair

from tokenpakd.ipc.framing import RemoteProtocolError
from tokenpakd.ipc.link import Link, from_fd
from tokenpakd.ipc.worker_api import Applied, Drain, FromWorker, Ready, ToWorker


async def test_messages_of_one_read_come_one_by_one_and_in_order() -> None:
    ours, theirs = memory_stream_pair()
    link: Link[FromWorker] = Link(ours, FromWorker)
    await theirs.send_all(b'{"type":"ready","generation":1}\n{"type":"applied","generation":2}\n{"type":"app')
    assert await link.receive() == Ready(generation=1)
    assert await link.receive() == Applied(generation=2)
    await theirs.send_all(b'lied","generation":3}\n')
    assert await link.receive() == Applied(generation=3)
    await theirs.aclose()
    assert await link.receive() is None


async def test_an_unfinished_message_at_the_end_is_no_message() -> None:
    ours, theirs = memory_stream_pair()
    link: Link[FromWorker] = Link(ours, FromWorker)
    await theirs.send_all(b'{"type":"ready"')
    await theirs.aclose()
    assert await link.receive() is None


@pytest.mark.parametrize("line", [b"{}", b"nonsense", b'{"type":"snapshot"}', b"\xff", b"[" * 100_000])
async def test_what_is_no_message_of_this_link_is_refused(line: bytes) -> None:
    ours, theirs = memory_stream_pair()
    link: Link[FromWorker] = Link(ours, FromWorker)
    await theirs.send_all(line + b"\n")
    with pytest.raises(RemoteProtocolError):
        await link.receive()


async def test_a_link_over_an_inherited_fd_speaks_both_ways() -> None:
    one, other = socket.socketpair()
    supervisor: Link[FromWorker] = Link(trio.SocketStream(trio.socket.from_stdlib_socket(one)), FromWorker)
    worker: Link[ToWorker] = from_fd(other.detach(), ToWorker)
    await supervisor.send(Drain(deadline_s=1.0))
    await worker.send(Ready(generation=4))
    assert await worker.receive() == Drain(deadline_s=1.0)
    assert await supervisor.receive() == Ready(generation=4)
    await supervisor.aclose()
    assert await worker.receive() is None
    with pytest.raises(trio.BrokenResourceError):
        await worker.send(Ready(generation=5))
    await worker.aclose()
