"""Where a call goes, by the endpoint of its provider."""

import pytest

from tokenpakd.dataplane.call import Origin, origin_of


@pytest.mark.parametrize(
    ("endpoint", "origin", "prefix"),
    [
        ("https://api.anthropic.com", Origin("https", "api.anthropic.com", 443), b""),
        ("http://127.0.0.1:8000/", Origin("http", "127.0.0.1", 8000), b""),
        ("https://Gateway.Example:8443/a/b/", Origin("https", "gateway.example", 8443), b"/a/b"),
        ("http://[::1]", Origin("http", "::1", 80), b""),
        ("http://[2001:DB8::1]:81/x", Origin("http", "2001:db8::1", 81), b"/x"),
    ],
)
def test_an_endpoint_is_an_origin_and_a_prefix(endpoint: str, origin: Origin, prefix: bytes) -> None:
    assert origin_of(endpoint) == (origin, prefix)


@pytest.mark.parametrize(
    ("origin", "authority", "text"),
    [
        (Origin("https", "a.example", 443), "a.example", "https://a.example"),
        (Origin("https", "a.example", 80), "a.example:80", "https://a.example:80"),
        (Origin("http", "::1", 80), "[::1]", "http://[::1]"),
        (Origin("https", "fe80::1", 8443), "[fe80::1]:8443", "https://[fe80::1]:8443"),
    ],
)
def test_an_authority_names_the_port_where_it_is_not_the_schemes(origin: Origin, authority: str, text: str) -> None:
    assert origin.authority == authority
    assert str(origin) == text


@pytest.mark.parametrize(
    ("host", "expect"),
    [
        ("localhost", True), ("api.localhost", True), ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True),
        ("localhost.example", False), ("notlocalhost", False), ("127.0.0.1.nip.io", False), ("10.0.0.1", False),
        ("0.0.0.0", False), ("api.example", False), ("", False), ("2001:db8::1", False),
    ],
)  # fmt: skip
def test_loopback_is_told_by_the_name_alone(host: str, *, expect: bool) -> None:
    assert Origin("http", host, 80).is_loopback is expect
