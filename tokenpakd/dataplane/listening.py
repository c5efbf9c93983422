"""Door: inherited listening sockets, from which a burst of clients is taken at once.

trio accepts one connection per round of its scheduler. When 64 clients arrive together each round grows by one more
request under way, and the last client waits 0.4 s before anybody looks at it.
"""

import socket
from collections import deque

import trio
import trio.lowlevel

BURST = 32
"""Taken in one go at most, so that accepting cannot starve what runs, nor one worker the other."""
_BODY = b'{"error":{"type":"overloaded","message":"tokenpak: too many connections (listen.max_connections)"}}'
TURNED_AWAY = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-type: application/json\r\n"
    b"x-tokenpak-error: too_many_connections\r\ncontent-length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)
"""Said to a client for whom there is no place, before a byte of its request is looked at."""


class BurstListener(trio.abc.Listener[trio.SocketStream]):
    """A listener whose `accept` first hands out what an earlier call found waiting behind its own connection.

    Handing those out does not wait, so whoever accepts in a loop has them all before anything can cancel it.
    """

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._listener = trio.SocketListener(trio.socket.from_stdlib_socket(self._socket))
        self._waiting: deque[trio.SocketStream] = deque()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._socket.getsockname()[1])

    async def accept(self) -> trio.SocketStream:
        """Return the next connection; does not wait while some are at hand."""
        if self._waiting:
            return self._waiting.popleft()
        stream = await self._listener.accept()
        for _ in range(BURST - 1):
            try:
                found, _ = self._socket.accept()
            except OSError:
                break  # Nobody else waits; what is really wrong the next call will say.
            self._waiting.append(trio.SocketStream(trio.socket.from_stdlib_socket(found)))
        return stream

    def close(self) -> None:
        """Stop listening, in this process. Connections taken but not handed out yet are closed."""
        self._listener.socket.close()
        while self._waiting:
            self._waiting.popleft().socket.close()

    async def aclose(self) -> None:
        """As close()."""
        self.close()
        await trio.lowlevel.checkpoint()
