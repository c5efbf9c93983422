"""Door: one connection to a provider — stale or not, writing a request, reading the head of its answer."""

import os
import select
from collections.abc import AsyncIterator

import trio

from tokenpakd.dataplane.call import Origin
from tokenpakd.dataplane.connect import Stream
from tokenpakd.dataplane.response_parser import ResponseParser
from tokenpakd.exchange.faults import Cut, TimedOut, UpstreamError

READ_BYTES = 65_536
WRITE_BYTES = 262_144
WRITE_STALL_S = 30.0
IDLE_S = 75.0
"""Below the keep-alive of common front ends, so that we rarely find a connection closed."""


class UpstreamConnection:
    """One kept-alive connection. `owes_bytes`: an early answer ended an upload, so no request may follow on it."""

    __slots__ = ("idle_since_s", "is_reused", "origin", "owes_bytes", "socket", "stream")

    def __init__(self, origin: Origin, stream: Stream) -> None:
        self.origin = origin
        self.stream = stream
        transport = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
        self.socket = transport.socket
        self.idle_since_s = 0.0
        self.is_reused = False
        self.owes_bytes = False

    def close(self) -> None:
        self.socket.close()

    def is_stale(self, now_s: float) -> bool:
        """Whether the other end closed, or spoke out of turn, while nobody used the connection."""
        if now_s - self.idle_since_s > IDLE_S:
            return True
        _POLL.register(self.socket.fileno(), select.POLLIN | _HALF_CLOSED)
        try:
            events = _POLL.poll(0)
        finally:
            _POLL.unregister(self.socket.fileno())
        if not events:
            return False
        # TLS 1.3 session tickets arrive unasked, so over TLS only a close is a verdict.
        is_tls = isinstance(self.stream, trio.SSLStream)
        return not is_tls or bool(events[0][1] & (_HALF_CLOSED | select.POLLHUP | select.POLLERR))


_POLL = select.poll()
_HALF_CLOSED: int = getattr(select, "POLLRDHUP", 0)


async def receive(connection: UpstreamConnection, silence_s: float | None) -> bytes:
    """Return what the next read brings, b"" at the end.

    Raises:
      TimedOut, Cut.
    """
    scope = trio.CancelScope()
    if silence_s is not None:
        scope.deadline = trio.current_time() + silence_s
    try:
        with scope:
            if isinstance(connection.stream, trio.SSLStream):
                return bytes(await connection.stream.receive_some(READ_BYTES))
            return await connection.socket.recv(READ_BYTES)
    except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as exc:
        raise Cut(f"{connection.origin} broke the connection") from exc
    raise TimedOut(f"{connection.origin} was silent for {silence_s:g} s")


async def send_whole(connection: UpstreamConnection, head: bytes, body: bytes) -> None:
    """Write head and body of at most 256 KiB in one write.

    A provider may refuse before it read everything and close: what it said is then still there to be read.

    Raises:
      TimedOut: it took nothing for 30 s.
    """
    try:
        await _send(connection, head + body)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return


async def _send(connection: UpstreamConnection, data: bytes | memoryview) -> None:
    if not isinstance(connection.stream, trio.SSLStream):
        try:
            # A request nearly always fits the socket's buffer: no round of the scheduler for it.
            sent = os.write(connection.socket.fileno(), data)
        except BlockingIOError:
            sent = 0
        except OSError as exc:
            raise trio.BrokenResourceError from exc
        if sent == len(data):
            return
        data = memoryview(data)[sent:]
    with trio.CancelScope(deadline=trio.current_time() + WRITE_STALL_S) as scope:
        await connection.stream.send_all(data)
    if scope.cancelled_caught:
        raise TimedOut(f"{connection.origin} did not take the request for {WRITE_STALL_S:.0f} s")


async def read_head(connection: UpstreamConnection, parser: ResponseParser, silence_s: float | None) -> bytes:
    first = b""
    while not parser.has_head:
        data = await receive(connection, silence_s)
        if not data:
            parser.feed_eof()
        first += parser.feed(data)
    return first


async def send_watching(
    connection: UpstreamConnection,
    head: bytes,
    body: bytes | AsyncIterator[bytes],
    parser: ResponseParser,
    silence_s: float | None,
) -> bytes:
    """Send an upload, or a large body, while watching for an early answer.

    A refusal ends the sending: the rest would go to nobody. An early 2xx does not: its sender reads on.
    """
    failures: list[Exception] = []
    answer = trio.CancelScope()
    connection.owes_bytes = True

    async def send(scope: trio.CancelScope) -> None:
        try:
            await _send(connection, head)
            if isinstance(body, bytes):
                view = memoryview(body)
                for start in range(0, len(body), WRITE_BYTES):
                    await _send(connection, view[start : start + WRITE_BYTES])
            else:
                async for piece in body:
                    await _send(connection, piece)
            connection.owes_bytes = False
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        except Exception as exc:  # noqa: BLE001
            # What the client's side raises (a body too slow, too large) travels on from here.
            failures.append(exc)
            scope.cancel()
        if silence_s is not None:
            answer.deadline = trio.current_time() + silence_s

    first = b""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(send, nursery.cancel_scope)
        try:
            with answer:
                first = await read_head(connection, parser, None)
        except UpstreamError as exc:
            failures.append(exc)
        if not 200 <= parser.status < 300:
            nursery.cancel_scope.cancel()
    if failures:
        raise failures[0]
    if answer.cancelled_caught:
        raise TimedOut(f"{connection.origin} was silent for {silence_s:g} s")
    return first
