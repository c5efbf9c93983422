"""What the data plane answers itself: /health /stats /recent /trace /metrics, and the probes clients send.

None of these answers is for a web page: no cross-origin reading, no sniffing, no storing.
"""

from collections.abc import Callable
from typing import Protocol
from urllib.parse import parse_qs

import msgspec

from tokenpakd.dataplane import pipeline
from tokenpakd.dataplane.relay import Client
from tokenpakd.exchange.request import Inbound
from tokenpakd.tip import headers

_SAFE = [
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
]
_JSON = b"application/json"
RECENT_MAX = 1000
_DIGITS_MAX = 18


class Plane(pipeline.Plane, Protocol):
    """What these endpoints, and the door before them, need of the worker beside what the pipeline needs."""

    def refused(self, code: str) -> None:
        """Count a request that was not let in."""
        ...

    def health(self) -> tuple[int, object]:
        """Return status and document of /health."""
        ...

    def metrics(self) -> bytes:
        """Return the Prometheus text."""
        ...

    async def stats(self) -> object:
        """Return the document of /stats."""
        ...

    async def last(self) -> object:
        """Return the last exchange, None before the first."""
        ...

    async def recent(self, limit: int) -> object:
        """Return the newest exchanges, newest first."""
        ...

    async def trace(self, exchange_id: str) -> object:
        """Return one exchange room by room, None if unknown."""
        ...


Answer = Callable[[Inbound, Plane], "tuple[int, bytes, bytes] | None"]


async def answer(inbound: Inbound, client: Client, plane: Plane) -> bool:
    """Answer a request that is for the daemon itself; False when it is for a provider."""
    if inbound.method not in ("GET", "HEAD"):
        return False
    found = await _find(inbound, plane)
    if found is None:
        return False
    status, kind, body = found
    fields = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *_SAFE]
    fields.append((headers.REQUEST_ID.encode(), inbound.id.encode()))
    await client.start(status, fields)
    await client.finish(body if inbound.method == "GET" else b"")
    return True


async def _find(inbound: Inbound, plane: Plane) -> tuple[int, bytes, bytes] | None:
    path = inbound.path
    if path == b"/health":
        status, document = plane.health()
        return status, _JSON, msgspec.json.encode(document)
    if path == b"/metrics":
        return 200, b"text/plain; version=0.0.4; charset=utf-8", plane.metrics()
    if path == b"/" or (path == b"/api/hello" and inbound.method == "HEAD"):
        return 200, b"text/plain; charset=utf-8", b"TokenPak is running\n"
    if path == b"/stats":
        return 200, _JSON, msgspec.json.encode(await plane.stats())
    if path == b"/stats/last":
        return 200, _JSON, msgspec.json.encode(await plane.last())
    if path == b"/recent":
        limit = _limit(inbound.query)
        if limit is None:
            return 400, _JSON, b'{"error":{"code":"bad_limit","message":"tokenpak: limit is a number from 1 to 1000"}}'
        return 200, _JSON, msgspec.json.encode({"requests": await plane.recent(limit)})
    if path.startswith(b"/trace/"):
        document = await plane.trace(path[7:].decode("latin-1"))
        if document is None:
            return 404, _JSON, b'{"error":{"code":"not_found","message":"tokenpak: no exchange of this id"}}'
        return 200, _JSON, msgspec.json.encode(document)
    return None


def _limit(query: bytes) -> int | None:
    value = parse_qs(query.decode("latin-1")).get("limit", ["20"])[0]
    # Thousands of digits are no number to int() either.
    if not (value.isascii() and value.isdigit()) or len(value) > _DIGITS_MAX:
        return None
    return min(int(value), RECENT_MAX) or None
