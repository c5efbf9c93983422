"""An HTTP/1.1 client on a bare socket: sends any bytes, believes nothing, says how a response ended.

with RawClient(port) as client:
    client.request("POST", "/v1/messages", body=b"{}")
    reply = client.reply()
    assert reply.status == 200 and reply.end is End.COMPLETE
"""

import contextlib
import enum
import json
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

DEADLINE_S = 20.0


class End(enum.Enum):
    """How a response body ended."""

    COMPLETE = "complete"
    """Its framing says so: last chunk or all of Content-Length."""
    CLOSED = "closed"
    """No framing: the close is the end, so nothing tells a cut from an end."""
    TRUNCATED = "truncated"
    """The connection ended before the framing did."""


class Broken(Exception):
    """What came is not HTTP/1.1, or the connection ended before a head."""


@dataclass
class Reply:
    """One response. `informational` are the 1xx statuses before it; `chunks` the HTTP chunks of a chunked body."""

    status: int
    headers: list[tuple[str, str]]
    head: bytes
    informational: list[int] = field(default_factory=list)
    body: bytes = b""
    chunks: list[bytes] = field(default_factory=list)
    end: End = End.COMPLETE

    def header(self, name: str) -> str | None:
        """Return the first value of a header; None when absent."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def json(self) -> Any:
        return json.loads(self.body)


class RawClient:
    """One connection to 127.0.0.1; every wait has a deadline, after which the socket's TimeoutError comes out."""

    def __init__(self, port: int, *, deadline_s: float = DEADLINE_S, receive_buffer: int | None = None) -> None:
        self.port = port
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(deadline_s)
        try:
            self.sock.connect(("127.0.0.1", port))
        except OSError:
            self.sock.close()
            raise
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        """Close with an RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def send_until_refused(self, pieces: Iterable[bytes]) -> int:
        """Send until done or until the peer closes; yield how many bytes went out."""
        sent = 0
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for piece in pieces:
                self.sock.sendall(piece)
                sent += len(piece)
        return sent

    def request(
        self,
        method: str,
        target: str,
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
        host: str | None = None,
        content_type: str | None = "application/json",
    ) -> None:
        """Send a request; with a body, Content-Type (unless given, or None) and Content-Length are added."""
        fields = [("Host", host if host is not None else f"127.0.0.1:{self.port}"), *headers]
        if body is not None:
            if content_type is not None and not any(name.lower() == "content-type" for name, _ in fields):
                fields.append(("content-type", content_type))
            fields.append(("Content-Length", str(len(body))))
        head = "".join(f"{name}: {value}\r\n" for name, value in fields)
        self.send(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + (body or b""))

    def reply(self, *, to_head: bool = False) -> Reply:
        """Read one whole response, 1xx before it included; `to_head` when the request was a HEAD."""
        reply = self.head()
        self.read_body(reply, to_head=to_head)
        return reply

    def head(self) -> Reply:
        """Read one response head.

        Raises:
          Broken: the connection ended, or what came is not a head.
        """
        informational: list[int] = []
        while True:
            while (at := self.buffer.find(b"\r\n\r\n")) < 0:
                if not self._more():
                    raise Broken(f"connection ended before a head; got {self.buffer[:200]!r}")
            head, self.buffer = self.buffer[: at + 4], self.buffer[at + 4 :]
            start, *lines = head[:-4].decode("latin-1").split("\r\n")
            parts = start.split(" ", 2)
            if parts[0] != "HTTP/1.1" or len(parts) < 2 or len(parts[1]) != 3:
                raise Broken(f"not a status line: {start!r}")
            headers = [(name, value.strip(" \t")) for name, _, value in (line.partition(":") for line in lines)]
            status = int(parts[1])
            if status >= 200 or status == 101:
                return Reply(status, headers, head, informational)
            informational.append(status)

    def read_body(self, reply: Reply, *, to_head: bool = False) -> None:
        """Read the body of a response whose head has been read, into `reply`.

        Raises:
          Broken: Content-Length beside chunks, a chunk size that is none, or a chunk without its end.
        """
        length, coding = reply.header("content-length"), reply.header("transfer-encoding")
        if length is not None and coding is not None:
            raise Broken("both Content-Length and Transfer-Encoding")
        if to_head or reply.status in (204, 304):
            return
        if coding is not None:
            while self.read_chunk(reply):
                pass
        elif length is not None:
            reply.body = self._take(int(length))
            reply.end = End.COMPLETE if len(reply.body) == int(length) else End.TRUNCATED
        else:
            while self._more():
                pass
            reply.body, self.buffer, reply.end = self.buffer, b"", End.CLOSED

    def read_chunk(self, reply: Reply) -> bool:
        """Read one chunk into `reply`; False when it was the last, or the connection was cut."""
        line = self._line()
        if line is None:
            reply.end = End.TRUNCATED
            return False
        if not line or line.strip(b"0123456789abcdefABCDEF"):
            raise Broken(f"not a chunk size: {line!r}")
        size = int(line, 16)
        data = self._take(size)
        reply.body += data
        reply.chunks.append(data)
        end = self._line() if len(data) == size else None
        if end is None:
            reply.end = End.TRUNCATED
            return False
        if end != b"":
            raise Broken(f"no end of chunk: {end!r}")
        if size == 0:
            reply.chunks.pop()
            reply.end = End.COMPLETE
        return size > 0

    def read_until(self, reply: Reply, needle: bytes) -> None:
        """Read chunks until the body holds `needle`; fail when it ends without."""
        while needle not in reply.body:
            if not self.read_chunk(reply):
                raise Broken(f"the body ended ({reply.end.value}) before {needle!r}")

    def everything(self) -> bytes:
        """Read until the peer closes; yield all of it."""
        while self._more():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def closed_by_peer(self) -> bool:
        """Wait for the peer's close; False when it sends something instead."""
        return not self._more() and not self.buffer

    def _line(self) -> bytes | None:
        while (at := self.buffer.find(b"\r\n")) < 0:
            if not self._more():
                return None
        line, self.buffer = self.buffer[:at], self.buffer[at + 2 :]
        return line

    def _take(self, size: int) -> bytes:
        parts, have = [self.buffer], len(self.buffer)
        while have < size:
            self.buffer = b""
            if not self._more():
                break
            parts.append(self.buffer)
            have += len(self.buffer)
        data = b"".join(parts)
        taken, self.buffer = data[:size], data[size:]
        return taken

    def _more(self) -> bool:
        try:
            data = self.sock.recv(262144)
        except ConnectionResetError:
            return False
        self.buffer += data
        return bool(data)


def ask(
    port: int,
    target: str,
    *,
    method: str = "GET",
    headers: Iterable[tuple[str, str]] = (),
    body: bytes | None = None,
    host: str | None = None,
    content_type: str | None = "application/json",
) -> Reply:
    """Send one request on a connection of its own and read the whole reply."""
    with RawClient(port) as client:
        fields = [*headers, ("Connection", "close")]
        client.request(method, target, headers=fields, body=body, host=host, content_type=content_type)
        return client.reply(to_head=method == "HEAD")
