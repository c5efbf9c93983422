"""A provider on loopback that follows a script and remembers every byte it was sent.

In a test: `with ScriptedProvider() as provider:` then `provider.url`, `provider.seen`,
`provider.answer_next(Reply(…))`, `provider.answer_with(function)`. As a process:
`python tests/playbook/scripted_provider.py --port 0` prints its port and serves until its standard input ends;
`GET /_seen` then lists what it saw. It reads the wire by hand, since a library would hide what tests must see: header
case and order, and connections that end early.
"""

import argparse
import base64
import contextlib
import json
import socket
import socketserver
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

if __package__ in {None, ""}:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.playbook.scripted_replies import reply_to
from tests.playbook.scripted_wire import Reply, Seen, compact

Answer = Callable[[Seen], Reply | None]


class ScriptedProvider:
    """Listens from `__enter__` on; every connection has a thread. `seen` grows as requests arrive whole."""

    def __init__(self, port: int = 0) -> None:
        self.seen: list[Seen] = []
        self.connections = 0
        self.aborted = 0
        """Responses that the peer did not wait for."""
        self._queued: list[Reply] = []
        self._answer: Answer | None = None
        self._changed = threading.Condition()
        self._server = _Server(("127.0.0.1", port), _connection_of(self))
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer_next(self, *replies: Reply) -> None:
        """Give these replies, in order, before anything else."""
        with self._changed:
            self._queued.extend(replies)

    def answer_with(self, answer: Answer | None) -> None:
        """Ask `answer` for every reply; where it yields None, and after None here, the usual script answers."""
        with self._changed:
            self._answer = answer

    def wait_seen(self, count: int, timeout_s: float = 10.0) -> list[Seen]:
        """Return the requests once there are at least `count`; raise TimeoutError when they do not come."""
        return self._wait(lambda: len(self.seen) >= count, timeout_s)

    def wait_aborted(self, count: int, timeout_s: float = 10.0) -> list[Seen]:
        """Return the requests once at least `count` responses were abandoned by the peer."""
        return self._wait(lambda: self.aborted >= count, timeout_s)

    def _wait(self, is_true: Callable[[], bool], timeout_s: float) -> list[Seen]:
        with self._changed:
            if not self._changed.wait_for(is_true, timeout_s):
                raise TimeoutError(f"saw {len(self.seen)} requests, {self.aborted} abandoned, after {timeout_s} s")
            return list(self.seen)

    def opened(self) -> int:
        """Count a connection and return its number."""
        with self._changed:
            self.connections += 1
            return self.connections

    def abandoned(self) -> None:
        """Count a response that the peer did not wait for."""
        with self._changed:
            self.aborted += 1
            self._changed.notify_all()

    def reply_for(self, seen: Seen) -> Reply:
        """Record the request and choose its reply."""
        if seen.path == "/_seen":
            return Reply(body=compact([_as_json(one) for one in self.seen]))
        with self._changed:
            self.seen.append(seen)
            self._changed.notify_all()
            queued = self._queued.pop(0) if self._queued else None
            answer = self._answer
        if queued is None and answer is not None:
            queued = answer(seen)
        return reply_to(seen) if queued is None else queued


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024
    block_on_close = False


def _connection_of(provider: ScriptedProvider) -> type[socketserver.BaseRequestHandler]:
    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            number = provider.opened()
            with contextlib.suppress(ConnectionError, ValueError):
                self.serve(number)

        def serve(self, number: int) -> None:
            incoming = self.request.makefile("rb")
            while (seen := _read_request(incoming, self.request, number)) is not None:
                reply = provider.reply_for(seen)
                try:
                    may_go_on = _send(self.request, seen, reply)
                except ConnectionError:
                    provider.abandoned()
                    return
                if not may_go_on or (seen.header("connection") or "").lower() == "close":
                    return

    return Connection


def _read_request(incoming: socket.SocketIO, connection: socket.socket, number: int) -> Seen | None:
    line = incoming.readline()
    if not line.strip():
        return None
    method, target, version = line.decode("latin-1").rstrip("\r\n").split(" ")
    headers = []
    while (line := incoming.readline()) not in {b"\r\n", b""}:
        name, _, value = line.decode("latin-1").rstrip("\r\n").partition(":")
        headers.append((name, value.strip(" \t")))
    lower = {name.lower(): value for name, value in headers}
    if lower.get("expect", "").lower() == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if lower.get("transfer-encoding", "").lower() == "chunked":
        body = _read_chunked(incoming)
    else:
        length = int(lower.get("content-length", "0"))
        body = incoming.read(length) or b""
        if len(body) != length:
            return None
    return Seen(method, target, version, tuple(headers), body, number)


def _read_chunked(incoming: socket.SocketIO) -> bytes:
    whole = b""
    while size := int(incoming.readline().split(b";")[0], 16):
        whole += incoming.read(size) or b""
        incoming.readline()
    while incoming.readline() not in {b"\r\n", b""}:
        pass
    return whole


def _send(connection: socket.socket, seen: Seen, reply: Reply) -> bool:
    """Write the reply; yield whether the connection may carry another request."""
    head = f"HTTP/1.1 {reply.status} Scripted\r\n" + "".join(f"{name}: {value}\r\n" for name, value in reply.headers)
    if isinstance(reply.body, bytes):
        declared = len(reply.body) + (1 if reply.is_cut else 0)
        if not any(name.lower() == "content-length" for name, _ in reply.headers):
            head += f"content-length: {declared}\r\n"
        connection.sendall(head.encode("latin-1") + b"\r\n" + (b"" if seen.method == "HEAD" else reply.body))
        return not reply.is_cut
    connection.sendall((head + "transfer-encoding: chunked\r\n\r\n").encode("latin-1"))
    for piece in reply.body:
        connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
    if reply.is_cut:
        return False
    connection.sendall(b"0\r\n\r\n")
    return True


def _as_json(seen: Seen) -> dict[str, object]:
    return {
        "method": seen.method,
        "target": seen.target,
        "version": seen.version,
        "headers": seen.headers,
        "body_base64": base64.b64encode(seen.body).decode(),
        "connection": seen.connection,
    }


def main(argv: list[str] | None = None) -> int:
    """Serve in a process of its own: print the port as one line, leave when standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args(argv)
    with ScriptedProvider(arguments.port) as provider:
        print(json.dumps(provider.port), flush=True)
        while sys.stdin.read(4096):
            pass
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
