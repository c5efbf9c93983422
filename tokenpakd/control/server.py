"""Door: the control socket. One JSON object per line; the peer's uid is checked before a byte is read.

Each connection is a room of its own: whatever its peer sends, or fails to read, ends that connection and no other.
"""

import logging
import os
import socket
from collections.abc import Callable

import msgspec
import trio

from tokenpakd.control.access import Access, granted
from tokenpakd.control.daemon import Daemon
from tokenpakd.control.dispatch import (
    INVALID_REQUEST,
    Call,
    Table,
    answer,
    error_line,
    failure_line,
    notification_line,
    parse,
    result_line,
)
from tokenpakd.ipc import unix_socket
from tokenpakd.ipc.framing import CONTROL_LINE_MAX_BYTES, LineSplitter, RemoteProtocolError

PROTOCOL = 1
FIRST_LINE_S = 2.0
IDLE_S = 60.0
WRITE_S = 5.0
CLIENTS_MAX = 16
WATCHERS_MAX = 12
"""Watchers stay for days: they must leave places for `status` and `stop`."""

EMFILE_PAUSE_S = 0.1

log = logging.getLogger(__name__)


class Server:
    """Answers on the control socket. `uid_of` is the kernel's word on the peer; tests put their own in."""

    def __init__(
        self,
        daemon: Daemon,
        verbs: Table,
        *,
        uid_of: Callable[[trio.SocketStream], int | None] = unix_socket.peer_uid,
    ) -> None:
        self._daemon = daemon
        self._verbs = verbs
        self._uid_of = uid_of
        self._clients = 0
        self._watching = trio.Semaphore(WATCHERS_MAX)

    async def run(
        self, listener: socket.socket, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled; `listener` is a listening Unix socket, closed at the end."""
        with trio.socket.from_stdlib_socket(listener) as accepting:
            async with trio.open_nursery() as nursery:
                task_status.started()
                while True:
                    try:
                        peer, _ = await accepting.accept()
                    except OSError as error:  # out of fds, or the peer left already: neither may end the daemon
                        log.warning("control_accept_failed", extra={"reason": error.strerror or ""})
                        await trio.sleep(EMFILE_PAUSE_S)
                        continue
                    nursery.start_soon(self._serve_one, trio.SocketStream(peer))

    async def _serve_one(self, stream: trio.SocketStream) -> None:
        self._clients += 1
        try:
            may = granted(self._uid_of(stream), os.geteuid())
            if not may:
                log.warning("control_peer_refused")
                return
            connection = _Connection(stream, self._daemon, self._verbs, may, self._watching)
            if self._clients > CLIENTS_MAX:
                await connection.refuse("too many clients on the control socket")
                return
            await connection.run()
        except (trio.TooSlowError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the peer left or stopped reading
        except Exception:  # one connection must not take the daemon down
            log.exception("control_connection_failed")
        finally:
            self._clients -= 1
            await trio.aclose_forcefully(stream)


class _Connection:
    def __init__(
        self,
        stream: trio.SocketStream,
        daemon: Daemon,
        verbs: Table,
        may: frozenset[Access],
        watching: trio.Semaphore,
    ) -> None:
        self._stream = stream
        self._daemon = daemon
        self._verbs = verbs
        self._may = may
        self._watching = watching
        self._splitter = LineSplitter(CONTROL_LINE_MAX_BYTES)
        self._lines: list[bytes] = []

    async def run(self) -> None:
        """Answer line after line until the peer leaves, is idle too long or watches to the end."""
        await self._write(notification_line("hello", {"version": self._daemon.version, "protocol": PROTOCOL}))
        deadline_s = FIRST_LINE_S
        while True:
            with trio.move_on_after(deadline_s) as limit:
                try:
                    line = await self._next_line()
                except RemoteProtocolError:
                    await self.refuse(f"a line is over {CONTROL_LINE_MAX_BYTES} bytes")
                    return
            if limit.cancelled_caught:
                await self.refuse(f"no line within {deadline_s:g} s")
                return
            if line is None:
                return
            deadline_s = IDLE_S
            call = parse(line, self._verbs, self._may)
            if isinstance(call, bytes):
                await self._write(call)
            elif call.verb.watch is not None:
                try:
                    self._watching.acquire_nowait()
                except trio.WouldBlock:
                    await self.refuse(f"{WATCHERS_MAX} others watch already", "End one of them, such as `tail -f`.")
                    return
                try:
                    await self._watch(call)
                finally:
                    self._watching.release()
                return
            else:
                await self._write(await answer(call, self._daemon))

    async def refuse(self, reason: str, hint: str = "Connect again.") -> None:
        """Say why the connection ends."""
        await self._write(error_line(None, INVALID_REQUEST, reason, hint))

    async def _watch(self, call: Call) -> None:
        """Send what the verb has to say until the peer leaves; the reply that opens it has an empty result."""
        assert call.verb.watch is not None
        await self._write(result_line(call.id, {}))

        async def send(event: msgspec.Struct) -> None:
            await self._write(notification_line(call.verb.name, event))

        async def leave_with_peer() -> None:
            while await self._stream.receive_some(4096):
                pass  # a watching connection has nothing more to ask
            nursery.cancel_scope.cancel()

        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(leave_with_peer)
                await call.verb.watch(self._daemon, call.params, send)
                nursery.cancel_scope.cancel()
        except* (trio.TooSlowError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the peer left or stopped reading
        except* Exception as broken:  # noqa: BLE001 - one bad verb must not take the daemon down
            await self._write(failure_line(call, broken.exceptions[0]))

    async def _next_line(self) -> bytes | None:
        while not self._lines:
            data = await self._stream.receive_some(65536)
            if not data:
                return None
            self._lines = self._splitter.feed(bytes(data))[::-1]
        return self._lines.pop()

    async def _write(self, line: bytes) -> None:
        with trio.fail_after(WRITE_S):
            await self._stream.send_all(line)
