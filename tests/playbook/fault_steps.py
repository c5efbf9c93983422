"""What a script of the fault upstream is made of: one step, one thing done to the connection."""

import threading
from dataclasses import dataclass

MESSAGE = (
    b'{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text",'
    b'"text":"Hello."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":12,"output_tokens":3}}'
)


@dataclass(frozen=True)
class Send:
    """Write these bytes as they are: garbage, a 1xx, half a head."""

    data: bytes


@dataclass(frozen=True)
class Head:
    """Write a response head; `length` adds Content-Length, `chunked` Transfer-Encoding, neither = until close."""

    status: int = 200
    content_type: str = "application/json"
    length: int | None = None
    chunked: bool = False
    extra: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Body:
    """Write a whole response: head with the right Content-Length, then the bytes."""

    data: bytes
    status: int = 200
    content_type: str = "application/json"
    extra: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Chunk:
    """Write one HTTP chunk in one send."""

    data: bytes


@dataclass(frozen=True)
class LastChunk:
    """Write the chunk that ends a chunked body."""


@dataclass(frozen=True)
class Until:
    """Do nothing until the event is set; ends the script if the proxy closes first."""

    event: threading.Event


@dataclass(frozen=True)
class Drip:
    """Write byte by byte, each its own send, `every_s` apart."""

    data: bytes
    every_s: float


@dataclass(frozen=True)
class Repeat:
    """Write the same bytes so many times: bombs and endless streams, without holding them."""

    data: bytes
    times: int


@dataclass(frozen=True)
class Reset:
    """Close with an RST."""


@dataclass(frozen=True)
class Fin:
    """Close in good order."""


@dataclass(frozen=True)
class Stall:
    """Say nothing more until the proxy closes."""


Step = Send | Head | Body | Chunk | LastChunk | Until | Drip | Repeat | Reset | Fin | Stall


def encode(step: Head | Body | Chunk | LastChunk) -> bytes:
    """Yield the wire bytes of a step."""
    match step:
        case Chunk(data):
            return b"%x\r\n%b\r\n" % (len(data), data)
        case LastChunk():
            return b"0\r\n\r\n"
        case Body(data, status, content_type, extra):
            return encode(Head(status, content_type, len(data), extra=extra)) + data
        case Head(status, content_type, length, chunked, extra):
            lines = [f"HTTP/1.1 {status} Scripted", f"content-type: {content_type}", "request-id: req_scripted"]
            lines += [f"content-length: {length}"] if length is not None else []
            lines += ["transfer-encoding: chunked"] if chunked else []
            lines += [f"{name}: {value}" for name, value in extra]
            return "\r\n".join([*lines, "", ""]).encode("latin-1")
