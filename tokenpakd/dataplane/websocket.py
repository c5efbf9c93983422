"""Door: the WebSocket listener. It answers handshakes under the guard's rules; chat over it comes later.

trio-websocket checks no Origin, and browsers ask nobody before they open a WebSocket: the guard looks at the
handshake before it is accepted.
"""

import gzip
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
import trio

from tokenpakd.dataplane.stages import guard
from tokenpakd.exchange.faults import Refused

if TYPE_CHECKING:
    from trio_websocket import WebSocketConnection, WebSocketRequest

log = logging.getLogger("tokenpakd.websocket")

HANDSHAKE_S = 5.0
MESSAGE_BYTES_MAX = 64 * 1_048_576
CONNECTIONS_MAX = 64
_NOT_SERVED = {
    "error": {
        "type": "not_served",
        "message": "tokenpak: chat over WebSocket is not served by this version, use HTTP. Run `tokenpakctl status`.",
    }
}


class WebSocketDoor:
    """All WebSocket connections of this worker."""

    def __init__(
        self, policy: Callable[[], guard.Policy], peer_uid: Callable[[trio.socket.SocketType], int | None]
    ) -> None:
        self._policy = policy
        self._peer_uid = peer_uid
        self._open: set[WebSocketConnection] = set()
        self._taken = 0  # handshakes under way count as well

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._open)

    async def serve(
        self,
        listeners: Sequence[trio.abc.Listener[trio.SocketStream]],
        *,
        handler_nursery: trio.Nursery,
        task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept until cancelled."""
        await trio.serve_listeners(self._run, list(listeners), handler_nursery=handler_nursery, task_status=task_status)

    async def _run(self, stream: trio.SocketStream) -> None:
        # Imported with the first connection: 25 ms and 1 MB that most daemons never need.
        from trio_websocket import ConnectionClosed, HandshakeError, wrap_server_stream

        port, peer_uid = stream.socket.getsockname()[1], self._peer_uid(stream.socket)
        self._taken += 1
        try:
            if self._taken > CONNECTIONS_MAX:
                return
            async with trio.open_nursery() as nursery:
                with trio.move_on_after(HANDSHAKE_S):
                    request = await wrap_server_stream(nursery, stream, max_message_size=MESSAGE_BYTES_MAX)
                    connection = await self._admit(request, port, peer_uid)
                    if connection is not None:
                        nursery.start_soon(self._talk, connection)
                        return
                nursery.cancel_scope.cancel()
        except* (ConnectionClosed, HandshakeError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        except* Exception:
            # One connection must not take the others down.
            log.exception("websocket_crashed")
        finally:
            self._taken -= 1
            stream.socket.close()

    async def _admit(
        self, request: "WebSocketRequest", port: int, peer_uid: int | None
    ) -> "WebSocketConnection | None":
        headers = tuple((bytes(name), bytes(value)) for name, value in request.headers)
        # trio-websocket takes Host out of the list that it shows.
        initial = getattr(request, "_event", None)
        if initial is not None and initial.host:
            headers = ((b"host", initial.host.encode("latin-1")), *headers)
        try:
            guard.check_websocket(request.path.encode("latin-1"), headers, self._policy(), port=port, peer_uid=peer_uid)
        except Refused as refused:
            await request.reject(refused.status, body=refused.message.encode())
            return None
        return await request.accept()

    async def _talk(self, connection: "WebSocketConnection") -> None:
        from trio_websocket import ConnectionClosed

        self._open.add(connection)
        try:
            while True:
                message = await connection.get_message()
                try:
                    msgspec.json.decode(message)
                except (msgspec.DecodeError, RecursionError):
                    await connection.send_message(_event({"error": {"type": "bad_json", "message": "not JSON"}}))
                else:
                    await connection.send_message(_event(_NOT_SERVED))
        except ConnectionClosed:
            pass
        finally:
            self._open.discard(connection)

    async def close_all(self) -> None:
        """Say goodbye (1001) to every connection; the drain begins."""
        for connection in tuple(self._open):
            with trio.move_on_after(1):
                await connection.aclose(code=1001, reason="the daemon is leaving")


def _event(document: object) -> bytes:
    return gzip.compress(msgspec.json.encode(document), 1)
