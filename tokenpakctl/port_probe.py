"""Door: who answers on a loopback port."""

from __future__ import annotations

import json
import socket
import time

_TIMEOUT_S = 1.0
_ANSWER_MAX_BYTES = 1_000_000


def health(host: str, port: int) -> dict[str, object] | str:
    """Yield the answer of `GET /health`; else `refused`, `silent` or `other` (no daemon of ours), within 2 s."""
    shown = f"[{host}]" if ":" in host else host
    request = f"GET /health HTTP/1.1\r\nHost: {shown}:{port}\r\nConnection: close\r\n\r\n"
    try:
        connection = socket.create_connection((host, port), _TIMEOUT_S)
    except TimeoutError:
        return "silent"
    except OSError:
        return "refused"
    with connection:
        try:
            connection.sendall(request.encode())
            return _parsed(_received(connection))
        except TimeoutError:
            return "silent"
        except OSError:
            return "other"  # somebody took the connection, and broke it


def _received(connection: socket.socket) -> bytes:
    """Yield what comes until the other side has done or the time is up; a drip must not hold us."""
    answer, until_s = bytearray(), time.monotonic() + _TIMEOUT_S
    while len(answer) < _ANSWER_MAX_BYTES and (left_s := until_s - time.monotonic()) > 0:
        connection.settimeout(left_s)
        try:
            chunk = connection.recv(65536)
        except TimeoutError:
            if not answer:
                raise
            break  # a greeting, and nothing more
        if not chunk:
            break
        answer += chunk
    return bytes(answer)


def _parsed(answer: bytes) -> dict[str, object] | str:
    start = answer.find(b"{", max(0, answer.find(b"\r\n\r\n")))
    end = answer.rfind(b"}")
    try:
        body: object = json.loads(answer[start : end + 1]) if start >= 0 else None
    except (ValueError, RecursionError):
        return "other"
    return body if isinstance(body, dict) and "status" in body and "version" in body else "other"
