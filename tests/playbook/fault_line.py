"""One connection of the fault upstream: requests read with every byte counted, steps carried out, closes noticed."""

import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.playbook.fault_steps import (
    Body,
    Chunk,
    Drip,
    Fin,
    Head,
    LastChunk,
    Repeat,
    Reset,
    Send,
    Stall,
    Step,
    Until,
    encode,
)

PATIENCE_S = 120.0


@dataclass
class Exchange:
    """One request as it arrived. `body` is decoded from its framing and kept up to 16 MiB; the digest covers all."""

    connection: int
    head: bytes
    method: str = ""
    target: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    body_bytes: int = 0
    digest: str = ""
    is_complete: bool = False
    arrived_s: float = 0.0
    answered: threading.Event = field(default_factory=threading.Event)
    """Set when the script has run to its end or to its Stall."""
    closed: threading.Event = field(default_factory=threading.Event)
    """Set when the proxy closed before the script was over."""
    closed_s: float = 0.0
    closed_how: str = ""
    """fin or rst, once `closed` is set."""

    def header(self, name: str) -> str | None:
        """Return the first value of a header; None when absent."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class ProxyClosed(Exception):
    """The peer closed while a script was running or a request was being read."""

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.how = how


def parse_head(connection: int, head: bytes) -> Exchange:
    """Split a request head into an exchange; keeps order, case and duplicates of the fields."""
    start, *fields = head[:-4].decode("latin-1").split("\r\n")
    method, target, _ = start.split(" ", 2)
    headers = [(name, value.strip(" \t")) for name, _, value in (text.partition(":") for text in fields)]
    return Exchange(connection, head, method, target, headers, arrived_s=time.monotonic())


class Line:
    """One connection: reads with the bytes counted, writes steps, and notices at once when the peer closes."""

    def __init__(self, sock: socket.socket, stopping: threading.Event, heard: Callable[[bytes], None]) -> None:
        self.sock = sock
        self.stopping = stopping
        self.heard = heard
        self.buffer = b""

    def more(self) -> None:
        try:
            data = self.sock.recv(262144)
        except (ConnectionResetError, ssl.SSLError) as exc:
            raise ProxyClosed("rst") from exc
        if not data:
            raise ProxyClosed("fin")
        self.heard(data)
        self.buffer += data

    def read_until(self, end: bytes) -> bytes | None:
        """Yield bytes up to and including `end`; None when the peer closes first."""
        while (at := self.buffer.find(end)) < 0:
            try:
                self.more()
            except ProxyClosed:
                return None
        found, self.buffer = self.buffer[: at + len(end)], self.buffer[at + len(end) :]
        return found

    def read_body(self, exchange: Exchange) -> Iterator[bytes]:
        if (exchange.header("transfer-encoding") or "").lower() == "chunked":
            while (size := int(self._must_read(b"\r\n"), 16)) > 0:
                yield from self._exactly(size)
                self._must_read(b"\r\n")
            self._must_read(b"\r\n")
        else:
            yield from self._exactly(int(exchange.header("content-length") or 0))

    def _must_read(self, end: bytes) -> bytes:
        found = self.read_until(end)
        if found is None:
            raise ProxyClosed("fin")
        return found

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size:
            if not self.buffer:
                self.more()
            piece, self.buffer = self.buffer[:size], self.buffer[size:]
            size -= len(piece)
            yield piece

    def write(self, data: bytes) -> None:
        try:
            self.sock.sendall(data)
        except BrokenPipeError as exc:
            raise ProxyClosed("fin") from exc
        except OSError as exc:
            raise ProxyClosed("rst") from exc

    def act(self, step: Step) -> bool:
        """Do one step; False when the connection is over. Raises ProxyClosed as soon as the peer is gone."""
        match step:
            case Send(data):
                self.write(data)
            case Head() | Body() | Chunk() | LastChunk():
                self.write(encode(step))
            case Until(event):
                self.hold(event)
            case Drip(data, every_s):
                for at in range(len(data)):
                    self.hold(threading.Event(), for_s=every_s)
                    self.write(data[at : at + 1])
            case Repeat(data, times):
                for _ in range(times):
                    self.write(data)
            case Reset():
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
            case Fin():
                return False
            case Stall():
                self.hold(threading.Event())
        return True

    def hold(self, event: threading.Event, for_s: float = PATIENCE_S) -> None:
        """Wait for the event, the time or the peer's close, whichever comes first."""
        until = time.monotonic() + for_s
        while not event.is_set() and not self.stopping.is_set() and (left := until - time.monotonic()) > 0:
            # An event has no file descriptor: look at it often; a close wakes the select at once.
            if select.select([self.sock], [], [], min(left, 0.005))[0]:
                self.more()
