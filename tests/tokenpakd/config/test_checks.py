"""Rules between keys."""

import pytest

from tokenpakd.config.checks import check, is_loopback
from tokenpakd.config.schema import Config
from tokenpakd.config.sections import Listen, Provider


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("localhost.example.org", False),
        ("2130706433", False),
    ],
)
def test_loopback_is_what_never_leaves_the_machine(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_the_defaults_break_no_rule() -> None:
    assert list(check(Config())) == []


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://api.example.com",
        "https://api.example.com:8443/gateway/",
        "http://127.0.0.1:9999",
        "http://[::1]:9999",
        "http://localhost:11434",
        "https://[2001:db8::1]/x",
    ],
)
def test_takes_an_endpoint(endpoint: str) -> None:
    assert list(check(Config(providers={"acme": Provider(endpoint=endpoint)}))) == []


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://a/v1",
        "https://a/v1/",
        "https://a/v1beta",
        "https://a\\b",
        "https://a b",
        "https://ä",
        "https://a#b",
        "https://[::1",
        "",
    ],
)
def test_refuses_an_endpoint(endpoint: str) -> None:
    (finding,) = check(Config(providers={"acme": Provider(endpoint=endpoint)}))
    assert finding.path == ("providers", "acme", "endpoint")


def test_free_ports_for_both_listeners_do_not_clash() -> None:
    assert list(check(Config(listen=Listen(port=0, ws_port=0)))) == []
