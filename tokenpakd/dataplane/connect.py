"""Door: a byte stream to an upstream, directly or through an egress proxy, with TLS verified."""

import base64
import socket
import ssl
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

import msgspec
import trio

from tokenpakd.dataplane.call import Origin
from tokenpakd.exchange.faults import Unreachable

CONNECT_TIMEOUT_S = 10.0
Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


class Egress(msgspec.Struct, frozen=True, kw_only=True):
    """How this machine reaches the world: proxy URL or None, hosts that need none, CA bundle or None."""

    proxy: str | None = None
    no_proxy: tuple[str, ...] = ()
    ca_file: str | None = None


def goes_direct(origin: Origin, egress: Egress) -> bool:
    """Whether no proxy stands between us and the host: NO_PROXY's names, suffixes and `*`; loopback always."""
    host = origin.host.lower()
    if egress.proxy is None or origin.is_loopback:
        return True
    for entry in egress.no_proxy:
        name = entry.strip().lower().lstrip(".").partition(":")[0]
        if name and (name in ("*", host) or host.endswith("." + name)):
            return True
    return False


class Connector:
    """Opens streams. The TLS context is made when the first TLS upstream is called: it costs 20 ms."""

    def __init__(self, egress: Egress, make_context: Callable[[str | None], ssl.SSLContext] | None = None) -> None:
        self._egress = egress
        self._make_context = make_context or _context
        self._context: ssl.SSLContext | None = None

    async def open(self, origin: Origin) -> Stream:
        """Connect to an origin within ten seconds, TLS handshake included.

        Raises:
          Unreachable: naming host and phase.
        """
        try:
            with trio.fail_after(CONNECT_TIMEOUT_S):
                return await self._open(origin)
        except trio.TooSlowError as exc:
            raise Unreachable(f"{origin} did not answer within {CONNECT_TIMEOUT_S:.0f} s (connect)") from exc
        except ssl.SSLError as exc:
            raise Unreachable(f"{origin}: TLS failed ({_tls_reason(exc)})") from exc
        except trio.BrokenResourceError as exc:
            cause = exc.__cause__
            reason = _tls_reason(cause) if isinstance(cause, ssl.SSLError) else "connection closed"
            raise Unreachable(f"{origin}: TLS failed ({reason})") from exc
        except OSError as exc:
            raise Unreachable(f"{origin} cannot be reached ({_os_reason(exc)})") from exc

    async def _open(self, origin: Origin) -> Stream:
        if goes_direct(origin, self._egress):
            plain = await _tcp(origin.host, origin.port)
        else:
            assert self._egress.proxy is not None
            plain = await _through_proxy(self._egress.proxy, origin)
        if origin.scheme != "https":
            return plain
        if self._context is None:
            self._context = self._make_context(self._egress.ca_file)
        secure = trio.SSLStream(plain, self._context, server_hostname=origin.host, https_compatible=True)
        try:
            await secure.do_handshake()
        except BaseException:
            plain.socket.close()
            raise
        return secure


async def _tcp(host: str, port: int) -> trio.SocketStream:
    stream = await trio.open_tcp_stream(host, port)
    # A stream that thinks for minutes says nothing; a dead path must still be noticed.
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
    return stream


async def _through_proxy(proxy: str, origin: Origin) -> trio.SocketStream:
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if parts.scheme != "http" or parts.hostname is None:
        raise Unreachable("egress.proxy must be http://host:port")
    stream = await _tcp(parts.hostname, parts.port or 3128)
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    head = f"CONNECT {host}:{origin.port} HTTP/1.1\r\nHost: {host}:{origin.port}\r\n"
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        head += f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}\r\n"
    try:
        await stream.send_all(head.encode("latin-1") + b"\r\n")
        answer = b""
        while b"\r\n\r\n" not in answer:
            data = await stream.receive_some(4096)
            answer += data
            if not data or len(answer) > 65_536:
                raise Unreachable("the egress proxy closed the connection")
        words = answer.split(b"\r\n", 1)[0].split(b" ")
        status = words[1] if words[0].startswith(b"HTTP/1.") and len(words) > 1 else b"?"
        if status != b"200":
            raise Unreachable(f"the egress proxy answered {status[:3].decode('latin-1')} for {origin}")
    except BaseException:
        stream.socket.close()
        raise
    return stream


def _context(ca_file: str | None) -> ssl.SSLContext:
    if ca_file is not None:
        context = ssl.create_default_context(cafile=ca_file)
    else:
        context = ssl.create_default_context()
        if not context.cert_store_stats()["x509_ca"] and not ssl.get_default_verify_paths().capath:
            import certifi

            # A Python without a system store (python.org's macOS builds).
            context.load_verify_locations(certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # HTTP/1.1 only: an h2 upstream would go on generating, and billing, after the client left.
    context.set_alpn_protocols(["http/1.1"])
    return context


def _tls_reason(exc: BaseException) -> str:
    if isinstance(exc, ssl.SSLCertVerificationError):
        return exc.verify_message
    return getattr(exc, "reason", None) or type(exc).__name__


def _os_reason(exc: OSError) -> str:
    if isinstance(exc, socket.gaierror):
        return "name not found"
    causes = exc.__cause__.exceptions if isinstance(exc.__cause__, BaseExceptionGroup) else ()
    for cause in (exc, *causes):
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
    return "connection refused"
