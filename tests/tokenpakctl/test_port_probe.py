"""Who answers on a port, asked of strangers of all kinds."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.tokenpakctl.answering import Answering
from tokenpakctl import port_probe

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n"


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_probe, "_TIMEOUT_S", 0.3)


@pytest.mark.parametrize(
    ("answer", "expect"),
    [
        (HEAD + b'{"status": "ok", "version": "0.1.0"}', {"status": "ok", "version": "0.1.0"}),
        (
            b"HTTP/1.1 503 Service Unavailable\r\nx: {\r\n\r\n22\r\n" + b'{"status":"draining","version":"1"}\r\n0\r\n',
            {"status": "draining", "version": "1"},
        ),
        (HEAD + b'{"status": "ok"}', "other"),
        (HEAD + b"[]", "other"),
        (HEAD + b"{not json}", "other"),
        (HEAD + b'{"a":' + b"[" * 100_000 + b"}", "other"),
        (HEAD + b'{"a":"\xff"}', "other"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "other"),
        (b"", "other"),
    ],
)
def test_our_daemon_is_told_from_others(answer: bytes, expect: object) -> None:
    with Answering(answer) as port:
        assert port_probe.health("127.0.0.1", port) == expect


def test_where_nobody_listens_it_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert port_probe.health("127.0.0.1", port) == "refused"
    assert port_probe.health("::1", port) == "refused"


def test_the_host_is_named_as_a_url_names_it() -> None:
    with _stranger(lambda peer: peer.sendall(HEAD)) as (port, asked):
        port_probe.health("127.0.0.1", port)
    assert asked[0].startswith(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n" % port)


def test_who_takes_the_connection_and_says_nothing_is_silent() -> None:
    with _stranger(_wait_for_the_end) as (port, _):
        assert port_probe.health("127.0.0.1", port) == "silent"


def test_who_greets_and_waits_is_another_program() -> None:
    def greet(peer: socket.socket) -> None:
        peer.sendall(b"220 mail.example ESMTP\r\n")
        _wait_for_the_end(peer)

    with _stranger(greet) as (port, _):
        assert port_probe.health("127.0.0.1", port) == "other"


def test_who_breaks_the_connection_is_there_all_the_same() -> None:
    def reset(peer: socket.socket) -> None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with _stranger(reset) as (port, _):
        assert port_probe.health("127.0.0.1", port) == "other"


def test_a_drip_does_not_hold_us() -> None:
    def drip(peer: socket.socket) -> None:
        while True:
            peer.sendall(b"x")
            time.sleep(0.02)

    with _stranger(drip) as (port, _):
        begun_at = time.monotonic()
        assert port_probe.health("127.0.0.1", port) == "other"
    assert time.monotonic() - begun_at < 2


def test_a_flood_does_not_fill_us() -> None:
    def flood(peer: socket.socket) -> None:
        while True:
            peer.sendall(b"x" * 65536)

    with _stranger(flood) as (port, _):
        assert port_probe.health("127.0.0.1", port) == "other"


def _wait_for_the_end(peer: socket.socket) -> None:
    peer.recv(65536)


@contextmanager
def _stranger(behave: Callable[[socket.socket], None]) -> Iterator[tuple[int, list[bytes]]]:
    """Let one connection be treated as told, once its request is there."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                asked.append(peer.recv(65536))
                try:
                    behave(peer)
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], asked
        thread.join(5)
        assert not thread.is_alive()
