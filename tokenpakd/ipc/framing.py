"""Newline-delimited JSON: bytes in, whole lines out. Pure; the doors feed it whatever one read brought."""

import msgspec

WORKER_LINE_MAX_BYTES = 1 << 20
CONTROL_LINE_MAX_BYTES = 64 << 10


class ProtocolError(Exception):
    """A line broke the rules of the link."""


class LocalProtocolError(ProtocolError):
    """We were about to send nonsense."""


class RemoteProtocolError(ProtocolError):
    """They sent nonsense."""


class LineSplitter:
    """Cuts a byte stream into lines, without their newline; blank lines are skipped.

    A line longer than `limit_bytes` is refused as soon as that many bytes are held, whether or not its end came.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Yield the lines that `data` completes.

        Raises:
          RemoteProtocolError: a line is over the limit.
        """
        self._held += data
        *lines, rest = self._held.split(b"\n")
        self._held = rest
        if len(rest) > self._limit_bytes or any(len(line) > self._limit_bytes for line in lines):
            raise RemoteProtocolError(f"line over {self._limit_bytes} bytes")
        return [bytes(line) for line in lines if line.strip()]

    @property
    def held_bytes(self) -> int:
        """How much of an unfinished line is held."""
        return len(self._held)


def encode(message: msgspec.Struct, limit_bytes: int = WORKER_LINE_MAX_BYTES) -> bytes:
    """Yield the line of a message, newline included.

    Raises:
      LocalProtocolError: it would be over the limit.
    """
    line = msgspec.json.encode(message)
    if len(line) > limit_bytes:
        raise LocalProtocolError(f"line of {len(line)} bytes is over {limit_bytes}")
    return line + b"\n"
