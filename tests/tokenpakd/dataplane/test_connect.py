"""The way to an upstream: directly, through a proxy, over TLS that is verified."""

import base64
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.tokenpakd.dataplane.loopback import Peer, Provider, provider
from tokenpakd.dataplane import connect
from tokenpakd.dataplane.call import Origin
from tokenpakd.dataplane.connect import Connector, Egress, Stream, goes_direct
from tokenpakd.exchange.faults import Unreachable

CERTIFICATES = Path(__file__).resolve().parents[2] / "playbook" / "certificates"
AUTHORITY = str(CERTIFICATES / "authority.pem")
FAR = Origin("http", "api.provider.test", 80)


def closed(stream: Stream) -> None:
    transport = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
    transport.socket.close()


@pytest.mark.parametrize(
    ("host", "no_proxy", "direct"),
    [
        ("api.example", (), False),
        ("localhost", (), True),
        ("127.0.0.1", (), True),
        ("::1", (), True),
        ("api.example", ("*",), True),
        ("api.example", ("api.example",), True),
        ("API.Example", ("api.EXAMPLE",), True),
        ("api.example", ("example",), True),
        ("api.example", (".example",), True),
        ("api.example", (" api.example ",), True),
        ("api.example", ("api.example:443",), True),
        ("api.example", ("other", "example"), True),
        ("badexample", ("example",), False),
        ("api.example.org", ("api.example",), False),
        ("api.example", ("pi.example",), False),
        ("api.example", ("", "  ", "."), False),
        ("10.0.0.7", ("10.0.0.7",), True),
        ("10.0.0.7", ("0.0.7",), True),
    ],
)
def test_no_proxy_names_hosts_and_their_domains(host: str, no_proxy: tuple[str, ...], *, direct: bool) -> None:
    egress = Egress(proxy="http://proxy:3128", no_proxy=no_proxy)
    assert goes_direct(Origin("https", host, 443), egress) is direct
    assert goes_direct(Origin("https", host, 443), Egress(no_proxy=no_proxy))


async def silent(peer: Peer, found: Provider) -> None:
    await peer.rest()


async def test_a_direct_connection_is_kept_alive_by_the_kernel() -> None:
    async with provider(silent) as acme:
        stream = await Connector(Egress(proxy="http://127.0.0.1:1")).open(acme.origin)
        assert isinstance(stream, trio.SocketStream)
        assert stream.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        closed(stream)


async def test_who_cannot_be_reached_is_named_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    async with provider(silent) as acme:
        pass
    with pytest.raises(Unreachable, match=r"http://127.0.0.1:.* cannot be reached .*refused"):
        await Connector(Egress()).open(acme.origin)

    async def nowhere(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(trio, "open_tcp_stream", nowhere)
    with pytest.raises(Unreachable, match=r"http://api\.provider\.test cannot be reached \(name not found\)"):
        await Connector(Egress()).open(FAR)


async def test_connecting_takes_ten_seconds_at_most(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    async def never(*args: object, **kwargs: object) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(trio, "open_tcp_stream", never)
    with pytest.raises(Unreachable, match="within 10 s"):
        await Connector(Egress()).open(FAR)
    assert trio.current_time() >= 10


@asynccontextmanager
async def proxy(answer: bytes, heads: list[bytes], *, to: Provider | None = None) -> AsyncIterator[str]:
    """Play a proxy that answers every CONNECT with `answer` and, if told to, joins the tunnel."""

    async def script(peer: Peer, found: Provider) -> None:
        heads.append(await peer.until(b"\r\n\r\n"))
        if answer:
            for at in range(0, len(answer), 5):
                await peer.send(answer[at : at + 5])
        if to is not None:
            onward = await trio.open_tcp_stream("127.0.0.1", to.origin.port)
            async with onward, trio.open_nursery() as nursery:
                nursery.start_soon(_pump, onward, peer.stream)
                await _pump(peer.stream, onward)
        elif answer:
            await peer.rest()

    async with provider(script) as found:
        yield f"127.0.0.1:{found.origin.port}"


async def _pump(source: trio.SocketStream, sink: trio.SocketStream) -> None:
    try:
        async for data in source:
            await sink.send_all(data)
        await sink.send_eof()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass


ESTABLISHED = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n"


@pytest.mark.parametrize("scheme", ["http://", ""])
async def test_a_proxy_is_asked_for_a_tunnel(scheme: str) -> None:
    heads: list[bytes] = []
    async with proxy(ESTABLISHED, heads) as address:
        connector = Connector(Egress(proxy=f"{scheme}user:p%40ss@{address}"))
        closed(await connector.open(FAR))
        closed(await connector.open(Origin("http", "2001:db8::1", 8080)))
    pair = base64.b64encode(b"user:p@ss")
    assert heads[0] == (
        b"CONNECT api.provider.test:80 HTTP/1.1\r\nHost: api.provider.test:80\r\n"
        b"Proxy-Authorization: Basic " + pair + b"\r\n\r\n"
    )
    assert heads[1].startswith(b"CONNECT [2001:db8::1]:8080 HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "answered 407"),
        (b"HTTP/1.0 503 No\r\n\r\n", "answered 503"),
        (b"HTTP/1.1\r\n\r\n", "answered"),
        (b"HTTP/1.\r\n200 \r\n\r\n", "answered"),
        (b"SSH-2.0 200 x\r\n\r\n", "answered"),
        (b"", "closed the connection"),
    ],
)
async def test_a_proxy_that_says_no_is_named_and_its_connection_closed(answer: bytes, why: str) -> None:
    async with proxy(answer, []) as address:
        with pytest.raises(Unreachable, match=why) as raised:
            await Connector(Egress(proxy=f"http://user:secret@{address}")).open(FAR)
        assert "secret" not in str(raised.value)


@pytest.mark.parametrize("address", ["https://127.0.0.1:1", "socks5://127.0.0.1:1", "http://"])
async def test_only_plain_proxies_are_spoken_to(address: str) -> None:
    with pytest.raises(Unreachable, match=r"egress.proxy must be"):
        await Connector(Egress(proxy=address)).open(FAR)


@asynccontextmanager
async def tls_provider(name: str) -> AsyncIterator[Provider]:
    """Serve TLS with one of the certificates of the tests; echoes one line."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / f"{name}.pem")
    context.set_alpn_protocols(["h2", "http/1.1"])

    async def script(peer: Peer, found: Provider) -> None:
        secure = trio.SSLStream(peer.stream, context, server_side=True, https_compatible=True)
        try:
            await secure.send_all(await secure.receive_some(100))
            found.requests.append((peer.number, str(secure.selected_alpn_protocol()).encode()))
        except (ssl.SSLError, trio.BrokenResourceError):
            pass

    async with provider(script) as acme:
        acme.origin = Origin("https", "localhost", acme.origin.port)
        yield acme


async def echo(stream: Stream) -> bytes:
    await stream.send_all(b"hello")
    said = bytes(await stream.receive_some(100))
    closed(stream)
    return said


async def test_tls_is_verified_and_speaks_http_1_only() -> None:
    async with tls_provider("server") as acme:
        assert await echo(await Connector(Egress(ca_file=AUTHORITY)).open(acme.origin)) == b"hello"
        await trio.testing.wait_all_tasks_blocked()
        assert acme.requests == [(0, b"http/1.1")]


async def test_the_context_is_made_once_and_not_before_it_is_needed() -> None:
    made: list[str | None] = []

    def make(ca_file: str | None) -> ssl.SSLContext:
        made.append(ca_file)
        return connect._context(ca_file)

    connector = Connector(Egress(ca_file=AUTHORITY), make)
    async with provider(silent) as plain, tls_provider("server") as acme:
        closed(await connector.open(plain.origin))
        assert made == []
        for _ in range(2):
            assert await echo(await connector.open(acme.origin)) == b"hello"
        assert made == [AUTHORITY]


@pytest.mark.parametrize(
    ("certificate", "ca_file", "why"),
    [("server", None, "self.signed|unable to get"), ("stranger", AUTHORITY, "[Hh]ostname mismatch")],
)
async def test_a_server_nobody_vouches_for_is_not_spoken_to(certificate: str, ca_file: str | None, why: str) -> None:
    async with tls_provider(certificate) as acme:
        with pytest.raises(Unreachable, match=f"TLS failed .*({why})"):
            await Connector(Egress(ca_file=ca_file)).open(acme.origin)
        assert acme.requests == []


async def test_tls_goes_through_the_tunnel_with_the_providers_name() -> None:
    async with tls_provider("server") as acme, proxy(ESTABLISHED, [], to=acme) as address:
        connector = Connector(Egress(proxy=f"http://{address}", ca_file=AUTHORITY))
        assert await echo(await connector.open(Origin("https", "api.provider.test", 443))) == b"hello"


async def hang_up(peer: Peer, found: Provider, *, said: bytes = b"") -> None:
    await peer.stream.receive_some(10)
    await peer.send(said)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
async def test_a_handshake_that_breaks_off_is_unreachable(said: bytes) -> None:
    async with provider(partial(hang_up, said=said)) as acme:
        origin = Origin("https", "127.0.0.1", acme.origin.port)
        with pytest.raises(Unreachable, match=r"TLS failed|cannot be reached"):
            await Connector(Egress(ca_file=AUTHORITY)).open(origin)
