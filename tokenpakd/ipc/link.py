"""Door: a worker's link as a stream of messages. Both ends of the socketpair use it."""

import socket
from typing import Any, Generic, TypeVar

import msgspec
import trio

from tokenpakd.ipc.framing import WORKER_LINE_MAX_BYTES, LineSplitter, RemoteProtocolError, encode

Incoming = TypeVar("Incoming")


class Link(Generic[Incoming]):
    """Messages over a byte stream: `send` one, `receive` the next, None at end of file.

    `incoming` is the union that the other side may send, e.g. `ToWorker` in a worker.
    """

    def __init__(self, stream: trio.abc.Stream, incoming: Any) -> None:
        self._stream = stream
        self._decoder: msgspec.json.Decoder[Incoming] = msgspec.json.Decoder(incoming)
        self._splitter = LineSplitter(WORKER_LINE_MAX_BYTES)
        self._lines: list[bytes] = []
        self._sending = trio.Lock()

    async def send(self, message: msgspec.Struct) -> None:
        """Write one message; raises trio.BrokenResourceError when the other side is gone."""
        line = encode(message)
        async with self._sending:
            await self._stream.send_all(line)

    async def receive(self) -> Incoming | None:
        """Yield the next message, or None once the other side is gone.

        Raises:
          RemoteProtocolError: what came is not a message of this link.
        """
        while not self._lines:
            try:
                data = await self._stream.receive_some(65536)
            except trio.BrokenResourceError:
                return None
            if not data:
                return None
            self._lines = self._splitter.feed(bytes(data))
            self._lines.reverse()
        try:
            return self._decoder.decode(self._lines.pop())
        except (msgspec.DecodeError, RecursionError) as error:
            raise RemoteProtocolError(f"not a message of this link: {error}") from error

    async def aclose(self) -> None:
        """Close our end: the other side reads end of file."""
        await self._stream.aclose()


def from_fd(fd: int, incoming: Any) -> "Link[Any]":
    """Yield the link on an inherited socket; takes the fd over."""
    return Link(trio.SocketStream(trio.socket.from_stdlib_socket(socket.socket(fileno=fd))), incoming)
