"""Door: who answers on a loopback port."""

from __future__ import annotations

import json
import socket

_TIMEOUT_S = 1.0


def health(host: str, port: int) -> dict[str, object] | str:
    """Yield the answer of `GET /health`; else `refused`, `silent` or `other` (no daemon of ours)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    shown = f"[{host}]" if ":" in host else host
    request = f"GET /health HTTP/1.1\r\nHost: {shown}:{port}\r\nConnection: close\r\n\r\n"
    try:
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(_TIMEOUT_S)
            connection.connect((host, port))
            connection.sendall(request.encode())
            answer = bytearray()
            while len(answer) < 1_000_000 and (chunk := connection.recv(65536)):
                answer += chunk
    except TimeoutError:
        return "silent"
    except OSError:
        return "refused"
    return _parsed(bytes(answer))


def _parsed(answer: bytes) -> dict[str, object] | str:
    start = answer.find(b"{", max(0, answer.find(b"\r\n\r\n")))
    end = answer.rfind(b"}")
    try:
        body: object = json.loads(answer[start : end + 1]) if start >= 0 else None
    except ValueError:
        return "other"
    return body if isinstance(body, dict) and "status" in body and "version" in body else "other"
