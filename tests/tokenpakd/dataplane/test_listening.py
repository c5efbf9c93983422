"""A burst of clients is taken at once."""

import socket

import trio
from trio.testing import wait_all_tasks_blocked

from tokenpakd.dataplane.listening import BURST, BurstListener


def listening() -> tuple[socket.socket, tuple[str, int]]:
    server = socket.create_server(("127.0.0.1", 0), backlog=128)
    return server, server.getsockname()


async def test_what_waits_behind_the_first_is_handed_out_without_waiting() -> None:
    server, address = listening()
    listener = BurstListener(server.detach())
    assert listener.port == address[1]
    clients = [socket.create_connection(address) for _ in range(5)]
    found = [await listener.accept()]
    with trio.CancelScope() as scope:
        scope.cancel()
        found += [await listener.accept() for _ in range(4)]
        await listener.accept()
    assert scope.cancelled_caught
    assert {stream.socket.getpeername() for stream in found} == {client.getsockname() for client in clients}
    for end in (*clients, *(stream.socket for stream in found)):
        end.close()
    await listener.aclose()


async def test_a_burst_is_bounded() -> None:
    server, address = listening()
    listener = BurstListener(server.detach())
    clients = [socket.create_connection(address) for _ in range(BURST + 3)]
    first = await listener.accept()
    first.socket.close()
    listener.close()
    left = 0
    for client in clients:
        client.settimeout(5)
        try:
            left += client.recv(1) == b""
        except ConnectionResetError:
            left += 1
        client.close()
    assert left == BURST + 3


async def test_serves_those_who_come_one_by_one(nursery: trio.Nursery) -> None:
    server, address = listening()
    listener = BurstListener(server.detach())

    async def echo(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.send_all(await stream.receive_some(10))

    await nursery.start(trio.serve_listeners, echo, [listener])
    for _ in range(3):
        async with await trio.open_tcp_stream(*address) as client:
            await client.send_all(b"hello")
            assert await client.receive_some(10) == b"hello"
            await wait_all_tasks_blocked()
    nursery.cancel_scope.cancel()
