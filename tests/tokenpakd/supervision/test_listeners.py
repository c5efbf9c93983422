import os
import socket

import pytest

from tokenpakd.supervision import listeners
from tokenpakd.supervision.listeners import CannotListen
from tokenpakd.supervision.port_owner import describe_owner


@pytest.mark.parametrize(
    ("address", "is_ours"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
    ],
)
def test_loopback_is_told_from_the_rest(address: str, is_ours: bool) -> None:
    assert listeners.is_loopback(address) is is_ours


@pytest.mark.parametrize(
    ("address", "expect"),
    [
        ("127.0.0.1", ["127.0.0.1", "::1"]),
        ("::1", ["127.0.0.1", "::1"]),
        ("0.0.0.0", ["0.0.0.0", "::1"]),
        ("::", ["127.0.0.1", "::"]),
        ("127.0.0.2", ["127.0.0.1", "::1", "127.0.0.2"]),
    ],
)
def test_loopback_is_bound_in_both_families_whatever_the_address(address: str, expect: list[str]) -> None:
    held = listeners.bind(address, 0, 0)
    try:
        assert [one.getsockname()[0] for one in held.http] == expect
        assert len({one.getsockname()[1] for one in held.http}) == 1
        assert held.http_port != held.websocket_port
        assert all(not one.get_inheritable() and not one.getblocking() for one in (*held.http, *held.websocket))
        assert held.urls()[0][0].endswith(f":{held.http_port}")
    finally:
        held.close()


def test_a_taken_websocket_port_gives_the_http_port_back() -> None:
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        taken = squatter.getsockname()[1]
        with socket.create_server(("127.0.0.1", 0)) as spare:
            free = spare.getsockname()[1]
        with pytest.raises(CannotListen, match=f"{taken} is taken by uid {os.getuid()}, pid {os.getpid()}"):
            listeners.bind("127.0.0.1", free, taken)
        with socket.create_server(("127.0.0.1", free)):
            pass


def test_an_address_of_another_machine_cannot_be_bound() -> None:
    with pytest.raises(CannotListen, match=r"listen\.address"):
        listeners.bind("192.0.2.1", 0, 0)


@pytest.mark.parametrize("environ", [{}, {"LISTEN_FDS": "1"}, {"LISTEN_FDS": "1", "LISTEN_PID": "1"}])
def test_sockets_meant_for_another_process_are_not_adopted(environ: dict[str, str]) -> None:
    assert listeners.adopt(environ, 1, 2) is None


def test_an_owner_nobody_knows_is_another_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as spare:
        port = spare.getsockname()[1]
        assert f"pid {os.getpid()}" in describe_owner(port)
    assert describe_owner(port) == "another process"
