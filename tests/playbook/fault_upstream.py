r"""A provider that misbehaves on demand, at the level of TCP.

    with FaultUpstream() as upstream:
        upstream.script("/v1/messages", Head(200, chunked=True), Chunk(b"data: a\n\n"), Reset())

A script is a list of steps that begins once a request has been read whole. `script()` binds one to a path (query
aside), `queue()` adds one that answers the next request whatever its path; without either, a small Anthropic message
is sent. Every request is kept as an `Exchange`: the exact head and body, and when and how the proxy closed.
"""

import contextlib
import hashlib
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Self

from tests.playbook.fault_line import Exchange, Line, ProxyClosed, parse_head
from tests.playbook.fault_steps import MESSAGE, Body, Stall, Step

DEADLINE_S = 30.0
KEEP_BODY = 16 << 20


class FaultUpstream:
    """Listens on a loopback port of its own from `with` on; every connection has a thread."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.exchanges: list[Exchange] = []
        self.raw: dict[int, bytearray] = {}
        """What each connection sent, byte for byte, up to 16 MiB."""
        self.accepted = 0
        self.bytes_received = 0
        """Over all connections."""
        self._scripts: dict[str, tuple[Step, ...]] = {}
        self._queue: deque[tuple[Step, ...]] = deque()
        self._tls = tls
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._sockets: dict[int, socket.socket] = {}
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://{'localhost' if tls else '127.0.0.1'}:{self.port}"

    def __enter__(self) -> Self:
        thread = threading.Thread(target=self._accept, daemon=True)
        thread.start()
        self._threads.append(thread)
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in list(self._sockets.values()):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(DEADLINE_S)

    def script(self, path: str, *steps: Step) -> None:
        """Answer every request to this path with these steps from now on."""
        self._scripts[path] = steps

    def queue(self, *steps: Step) -> None:
        """Answer one request, the next that no earlier queued script takes, with these steps."""
        self._queue.append(steps)

    def forget(self) -> None:
        """Drop scripts and records, so that one upstream can serve many tests; connections stay open."""
        self._scripts.clear()
        self._queue.clear()
        self.raw.clear()
        with self._changed:
            self.exchanges, self.bytes_received = [], 0

    def wait(self, holds: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
        """Return as soon as `holds()`, looked at after every change; fail with `what` after the deadline."""
        with self._changed:
            if not self._changed.wait_for(holds, deadline_s):
                raise AssertionError(f"the upstream never saw {what} within {deadline_s} s")

    def wait_for_requests(self, count: int) -> list[Exchange]:
        """Wait until so many requests have been read, whole or cut, and return them all."""
        self.wait(lambda: len(self.exchanges) >= count, f"{count} requests")
        return list(self.exchanges)

    @property
    def last(self) -> Exchange:
        return self.exchanges[-1]

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            number = self.accepted
            self.accepted += 1
            self._sockets[number] = sock
            thread = threading.Thread(target=self._serve, args=(number, sock), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, number: int, sock: socket.socket) -> None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._sockets[number] = sock
            line = Line(sock, self._stopping, lambda data: self._heard(number, data))
            while (exchange := self._read_request(number, line)) is not None:
                if not self._answer(exchange, line):
                    return
        except (OSError, ProxyClosed):
            return
        finally:
            self._sockets.pop(number, None)
            sock.close()

    def _heard(self, number: int, data: bytes) -> None:
        held = self.raw.setdefault(number, bytearray())
        if len(held) < KEEP_BODY:
            held += data
        with self._changed:
            self.bytes_received += len(data)
            self._changed.notify_all()

    def _read_request(self, number: int, line: "Line") -> Exchange | None:
        head = line.read_until(b"\r\n\r\n")
        if head is None:
            return None
        exchange = parse_head(number, head)
        kept = bytearray()
        digest = hashlib.sha256()
        try:
            for piece in line.read_body(exchange):
                exchange.body_bytes += len(piece)
                digest.update(piece)
                if len(kept) < KEEP_BODY:
                    kept += piece
            exchange.is_complete = True
        except ProxyClosed as closed:
            self._note_closed(exchange, closed)
        exchange.body, exchange.digest = bytes(kept), digest.hexdigest()
        with self._changed:
            self.exchanges.append(exchange)
            self._changed.notify_all()
        return exchange if exchange.is_complete else None

    def _answer(self, exchange: Exchange, line: "Line") -> bool:
        """Run the script; True when the connection may carry another request."""
        steps = self._queue.popleft() if self._queue else self._scripts.get(exchange.target.partition("?")[0])
        try:
            for step in (Body(MESSAGE),) if steps is None else steps:
                if isinstance(step, Stall):
                    exchange.answered.set()
                if not line.act(step):
                    exchange.answered.set()
                    return False
        except ProxyClosed as closed:
            self._note_closed(exchange, closed)
            return False
        exchange.answered.set()
        return True

    def _note_closed(self, exchange: Exchange, closed: ProxyClosed) -> None:
        if self._stopping.is_set():
            return
        exchange.closed_s, exchange.closed_how = time.monotonic(), closed.how
        with self._changed:
            exchange.closed.set()
            self._changed.notify_all()


def refused_url() -> str:
    """Yield the URL of a loopback port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"http://127.0.0.1:{probe.getsockname()[1]}"
