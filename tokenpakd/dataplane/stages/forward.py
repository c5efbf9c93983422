"""Room: the request as the provider gets it, and the provider's answer as the client gets it.

Header fields go on verbatim, in order and case, minus hop-by-hop fields and our own.
"""

from collections.abc import AsyncIterator

from tokenpakd.dataplane.call import UpstreamCall, origin_of
from tokenpakd.dataplane.plan import Plan
from tokenpakd.exchange.faults import Garbled, Refused, TimedOut, UpstreamError
from tokenpakd.exchange.request import Inbound
from tokenpakd.tip.headers import PREFIX

_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authorization",
        b"proxy-authenticate",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_NOT_UP = _HOP_BY_HOP | {b"host", b"content-length", b"expect"}
# What a browser would apply to localhost, cookies included, is not for this side.
_NOT_DOWN = _HOP_BY_HOP | {b"set-cookie", b"alt-svc", b"clear-site-data", b"strict-transport-security"}
_OURS = PREFIX.encode()


def call(plan: Plan, *, upload: AsyncIterator[bytes] | None, content_length: int | None) -> UpstreamCall:
    """Write the request for its provider.

    `upload` is the body of an unread request; without a `content_length` it goes out chunked.
    """
    assert plan.route is not None
    origin, prefix = origin_of(plan.route.provider.endpoint)
    inbound = plan.inbound
    target = prefix + (_without_key(inbound) if plan.route.withholds_query_key else inbound.target)
    length = len(plan.body) if plan.body is not None else content_length
    lines = [b"%b %b HTTP/1.1" % (inbound.method.encode(), target), b"Host: " + origin.authority.encode()]
    skipped = _NOT_UP | _named_by_connection(inbound.headers) | plan.route.withheld
    for name, value in inbound.headers:
        lower = name.lower()
        if lower == b"content-length" and length is not None:
            lines.append(b"%b: %d" % (name, length))
            length = None
        elif lower not in skipped and not lower.startswith(_OURS):
            lines.append(name + b": " + value)
    has_body = plan.body is not None or upload is not None
    if length is not None and (length or has_body):
        lines.append(b"Content-Length: %d" % length)
    elif plan.body is None and content_length is None and upload is not None:
        lines.append(b"Transfer-Encoding: chunked")
    silence_s = plan.snapshot.config.request_timeout
    return UpstreamCall(
        origin=origin,
        method=inbound.method,
        head=b"\r\n".join(lines) + b"\r\n\r\n",
        body=plan.body if plan.body is not None else upload if upload is not None else b"",
        silence_s=silence_s or None,
    )


def _without_key(inbound: Inbound) -> bytes:
    pairs = [pair for pair in inbound.query.split(b"&") if not pair.startswith(b"key=")]
    return inbound.path + b"?" + b"&".join(pairs) if pairs else inbound.path


def _named_by_connection(headers: tuple[tuple[bytes, bytes], ...] | list[tuple[bytes, bytes]]) -> frozenset[bytes]:
    names: set[bytes] = set()
    for name, value in headers:
        if name.lower() == b"connection":
            names.update(token.strip().lower() for token in value.split(b","))
    return frozenset(names)


def reply_headers(received: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return a provider's header fields as the client gets them."""
    skipped = _NOT_DOWN | _named_by_connection(received)
    kept = []
    for name, value in received:
        lower = name.lower()
        if lower not in skipped and not lower.startswith((_OURS, b"access-control-")):
            kept.append((name, value))
    return kept


def refusal(error: UpstreamError, provider: str) -> Refused:
    """Say in one sentence who failed; nothing of the answer had reached the client yet."""
    if isinstance(error, TimedOut):
        return Refused(504, "upstream_timeout", f"tokenpak: {provider}: {error}; `request_timeout` sets how long")
    if isinstance(error, Garbled):
        return Refused(502, "upstream_garbled", f"tokenpak: {provider}: {error}")
    return Refused(
        503, "upstream_unreachable", f"tokenpak: {provider}: {error}. Run `tokenpakctl doctor`.", retry_after_s=1
    )
