"""Both ends of TCP on loopback, played by the test: a scripted provider, a client, and our server between them."""

import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import trio

from tokenpakd.dataplane.call import Origin
from tokenpakd.dataplane.connections import Server, Timing
from tokenpakd.dataplane.http1 import App

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """One end of a connection. `number` counts a provider's connections from 0."""

    def __init__(self, stream: trio.SocketStream, number: int = 0) -> None:
        self.stream = stream
        self.number = number
        self.buffer = b""

    async def until(self, mark: bytes) -> bytes:
        """Return what comes up to and including `mark`; less only when the other end closed."""
        while mark not in self.buffer:
            data = await self._more()
            if not data:
                break
        at = self.buffer.find(mark)
        return self._take(at + len(mark) if at >= 0 else len(self.buffer))

    async def exactly(self, size: int) -> bytes:
        """Return `size` bytes; less only when the other end closed."""
        while len(self.buffer) < size and await self._more():
            pass
        return self._take(size)

    async def rest(self) -> bytes:
        """Return everything up to the other end's close."""
        while await self._more():
            pass
        return self._take(len(self.buffer))

    async def request(self) -> bytes:
        """Return one request, its body framed by Content-Length; b"" when the other end closed."""
        head = await self.until(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        return head + await self.exactly(length)

    async def reply(self) -> tuple[int, bytes]:
        """Return status and body of one reply framed by Content-Length; (0, what came) when the other end closed."""
        head = await self.until(b"\r\n\r\n")
        if not head.endswith(b"\r\n\r\n"):
            return 0, head
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        return int(head[9:12]), await self.exactly(length)

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    def close(self) -> None:
        self.stream.socket.close()

    def reset(self) -> None:
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    async def _more(self) -> bytes:
        try:
            data = bytes(await self.stream.receive_some(65_536))
        except trio.BrokenResourceError:
            data = b""
        self.buffer += data
        return data

    def _take(self, size: int) -> bytes:
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken


class Provider:
    """A provider on loopback. `requests` are what came, each with the number of its connection."""

    def __init__(self, port: int) -> None:
        self.origin = Origin("http", "127.0.0.1", port)
        self.requests: list[tuple[int, bytes]] = []
        self.peers: list[Peer] = []

    @property
    def connections(self) -> int:
        return len(self.peers)


Script = Callable[[Peer, Provider], Awaitable[None]]


@asynccontextmanager
async def provider(script: Script) -> AsyncIterator[Provider]:
    """Play a provider: `script` runs for each connection, which is closed behind it."""
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        found = Provider(listeners[0].socket.getsockname()[1])

        async def play(stream: trio.SocketStream) -> None:
            peer = Peer(stream, found.connections)
            found.peers.append(peer)
            try:
                await script(peer, found)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
            finally:
                peer.close()

        await nursery.start(partial(trio.serve_listeners, play, listeners))
        try:
            yield found
        finally:
            nursery.cancel_scope.cancel()


def answering(*replies: bytes | None) -> Script:
    """Answer the provider's requests, whichever connection they come on, with these in turn; None closes instead."""
    left = list(replies)

    async def script(peer: Peer, found: Provider) -> None:
        while request := await peer.request():
            found.requests.append((peer.number, request))
            reply = left.pop(0) if left else OK
            if reply is None:
                return
            await peer.send(reply)

    return script


async def connect(port: int, *, receive_buffer: int | None = None) -> Peer:
    """Connect as a client."""
    sock = trio.socket.socket()
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    await sock.connect(("127.0.0.1", port))
    return Peer(trio.SocketStream(sock))


class Serving:
    """Our server on loopback."""

    def __init__(self, server: Server, port: int) -> None:
        self.server = server
        self.port = port

    @asynccontextmanager
    async def client(self, *, receive_buffer: int | None = None) -> AsyncIterator[Peer]:
        peer = await connect(self.port, receive_buffer=receive_buffer)
        try:
            yield peer
        finally:
            peer.close()


@asynccontextmanager
async def serving(app: App, *, timing: Timing | None = None, max_connections: int = 20) -> AsyncIterator[Serving]:
    """Serve an ASGI application, its deadlines watched."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    server = Server(app, timing or Timing(), max_connections=lambda: max_connections, peer_uid=lambda sock: 1000)
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(server.serve, listeners, handler_nursery=nursery))
        nursery.start_soon(server.keep_deadlines)
        try:
            yield Serving(server, listeners[0].socket.getsockname()[1])
        finally:
            nursery.cancel_scope.cancel()


async def whole_body(receive: Callable[[], Awaitable[dict[str, object]]]) -> bytes:
    """Read a request's body as an ASGI application does."""
    body = b""
    while True:
        event = await receive()
        piece = event["body"]
        assert isinstance(piece, bytes)
        body += piece
        if not event["more_body"]:
            return body
