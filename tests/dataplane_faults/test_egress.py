"""How providers are reached: TLS verified against the authority in use, and through a proxy where one is set."""

import ssl
from pathlib import Path

import pytest

from tests.playbook.connect_proxy import ConnectProxy
from tests.playbook.daemon import start_daemon
from tests.playbook.fault_upstream import FaultUpstream
from tests.playbook.traffic import NO_BREAKER, Lab, message

CERTIFICATES = Path(__file__).resolve().parents[1] / "playbook" / "certificates"
AUTHORITY = str(CERTIFICATES / "authority.pem")


def tls(name: str) -> ssl.SSLContext:
    """What a server with this certificate offers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / f"{name}.pem")
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


@pytest.mark.parametrize("told_by", ["egress.ca_file", "SSL_CERT_FILE"])
def test_a_server_of_a_trusted_authority_is_called(tmp_path: Path, told_by: str) -> None:
    config = NO_BREAKER | ({"egress": {"ca_file": AUTHORITY}} if told_by == "egress.ca_file" else {})
    env = {"SSL_CERT_FILE": AUTHORITY} if told_by == "SSL_CERT_FILE" else {}
    with FaultUpstream(tls("server")) as upstream:
        with start_daemon(tmp_path, {"anthropic": upstream.url}, config, env) as daemon:
            lab = Lab(daemon, upstream)
            lab.must_still_serve(3)
            big = message(text="x" * 500_000)
            assert lab.post(big).status == 200
            assert upstream.last.body == big
        assert upstream.accepted <= 2, "connections are kept over TLS as well"


def test_a_server_nobody_vouches_for_gets_no_request(tmp_path: Path) -> None:
    with FaultUpstream(tls("server")) as upstream:
        with start_daemon(tmp_path, {"anthropic": upstream.url}, NO_BREAKER) as daemon:
            reply = Lab(daemon, upstream).post(message())
            assert reply.status == 503
            assert b"localhost" in reply.body
            assert b"sk-ant-test" not in reply.body
        assert upstream.accepted > 0
        assert upstream.exchanges == []


def test_a_certificate_for_another_name_gets_no_request(tmp_path: Path) -> None:
    config = NO_BREAKER | {"egress": {"ca_file": AUTHORITY}}
    with FaultUpstream(tls("stranger")) as upstream:
        with start_daemon(tmp_path, {"anthropic": upstream.url}, config) as daemon:
            assert Lab(daemon, upstream).post(message()).status == 503
        assert upstream.accepted > 0
        assert upstream.exchanges == []


@pytest.mark.parametrize("told_by", ["egress.proxy", "HTTPS_PROXY"])
def test_a_proxy_is_asked_for_the_name_and_sees_only_the_tunnel(tmp_path: Path, told_by: str) -> None:
    with FaultUpstream(tls("server")) as upstream, ConnectProxy(upstream.port) as proxy:
        egress = {"ca_file": AUTHORITY} | ({"proxy": proxy.url} if told_by == "egress.proxy" else {})
        env = {"NO_PROXY": "unrelated.test"} | ({"HTTPS_PROXY": proxy.url} if told_by == "HTTPS_PROXY" else {})
        providers = {"anthropic": "https://api.provider.test:8443/prefix"}
        with start_daemon(tmp_path, providers, NO_BREAKER | {"egress": egress}, env) as daemon:
            assert Lab(daemon, upstream).post(message()).status == 200
        assert proxy.targets == ["api.provider.test:8443"]
        assert not any(b"sk-ant-test" in head for head in proxy.heads)
        assert upstream.last.target == "/prefix/v1/messages"
        assert upstream.last.header("host") == "api.provider.test:8443"
        assert upstream.last.header("x-api-key") == "sk-ant-test"


def test_no_proxy_keeps_a_host_off_the_proxy(tmp_path: Path) -> None:
    with FaultUpstream(tls("server")) as upstream, ConnectProxy(upstream.port) as proxy:
        env = {"HTTPS_PROXY": proxy.url, "NO_PROXY": "other.test,.provider.test"}
        providers = {"anthropic": "https://api.provider.test:8443"}
        with start_daemon(tmp_path, providers, NO_BREAKER, env) as daemon:
            # Off the proxy the name has to be found, and nobody knows it.
            assert Lab(daemon, upstream).post(message()).status == 503
        assert proxy.heads == []


def test_a_proxy_that_refuses_is_named_and_nothing_is_sent(tmp_path: Path) -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"
    with FaultUpstream() as upstream, ConnectProxy(upstream.port, answer=refusal) as proxy:
        config = NO_BREAKER | {"egress": {"proxy": proxy.url}}
        with start_daemon(tmp_path, {"anthropic": "https://api.provider.test"}, config, {"NO_PROXY": ""}) as daemon:
            reply = Lab(daemon, upstream).post(message())
        assert reply.status == 503
        assert b"proxy" in reply.body
        assert b"407" in reply.body
        assert proxy.targets == ["api.provider.test:443"]
