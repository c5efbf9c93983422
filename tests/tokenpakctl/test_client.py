"""The wire as tokenpakctl speaks it: hello, answer, error, stream, and everything that is not a daemon."""

import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tokenpakctl.control_double import ControlDouble, run, socket_of
from tokenpakctl import client
from tokenpakd.ipc import control_api
from tokenpakd.paths import resolve


def test_both_sides_speak_the_same_protocol() -> None:
    assert client.PROTOCOL == control_api.PROTOCOL


def test_the_request_is_one_json_rpc_line(environ: dict[str, str], daemon: ControlDouble) -> None:
    daemon.answers["mode"] = {"mode": "strict", "source": "control", "changed": True, "now": True}
    assert run(environ, "mode", "strict", "--now").code == 0
    assert daemon.requests == [{"jsonrpc": "2.0", "id": 1, "method": "mode", "params": {"mode": "strict", "now": True}}]


def test_the_request_does_not_wait_for_the_hello(environ: dict[str, str]) -> None:
    """The peer here reads the request first and greets only then; a client that waited would hang."""

    def answer(peer: socket.socket) -> None:
        request = json.loads(peer.makefile("rb").readline())
        hello = {"jsonrpc": "2.0", "method": "hello", "params": {"version": "0.1.0", "protocol": 1}}
        reply = {"jsonrpc": "2.0", "id": request["id"], "result": {"paused": False}}
        for byte in json.dumps(hello).encode() + b"\n" + json.dumps(reply).encode() + b"\n":
            peer.sendall(bytes([byte]))

    with Peer(socket_of(environ), answer):
        assert run(environ, "resume", "--json").json == {"paused": False}


def test_an_error_comes_with_its_hint_and_exit_code_1(environ: dict[str, str], daemon: ControlDouble) -> None:
    daemon.answers["reload"] = {
        "error": {"code": -32000, "message": "config.yaml:3: mode", "data": {"hint": "Edit it."}}
    }
    human = run(environ, "reload")
    assert (human.code, human.out) == (1, "")
    assert human.err == "tokenpakctl: config.yaml:3: mode\n  Edit it.\n"
    machine = run(environ, "reload", "--json")
    assert machine.code == 1
    assert machine.json == {"error": {"code": -32000, "message": "config.yaml:3: mode", "hint": "Edit it."}}


def test_bad_parameters_are_a_usage_error(environ: dict[str, str], daemon: ControlDouble) -> None:
    daemon.answers["trace"] = {"error": {"code": -32602, "message": "that is no request id", "data": {"hint": ""}}}
    assert run(environ, "trace", "?").code == 2


def test_no_daemon_is_69_and_names_the_next_command(environ: dict[str, str]) -> None:
    for verb in (["status"], ["recent"], ["tail", "-f"], ["stop"], ["reload"], ["config"]):
        ran = run(environ, *verb)
        assert ran.code == 69
        assert "tokenpak serve" in ran.err


def test_a_socket_left_by_a_dead_daemon_is_no_daemon(environ: dict[str, str]) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(socket_of(environ)))
    left.close()
    assert run(environ, "status").code == 69


def test_waits_for_a_daemon_that_is_starting(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(environ).lock.write_text(f"{os.getpid()}\n")
    doubles: list[ControlDouble] = []

    def start_daemon(seconds: float) -> None:
        if not doubles:
            doubles.append(ControlDouble(socket_of(environ), {"resume": {"paused": False}}))

    monkeypatch.setattr("tokenpakctl.client.time.sleep", start_daemon)
    assert run(environ, "resume").code == 0
    doubles[0].close()


def test_gives_up_on_a_daemon_that_holds_the_lock_and_never_answers(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve(environ).lock.write_text(f"{os.getpid()}\n")
    monkeypatch.setattr("tokenpakctl.client.START_WAIT_S", 0.0)
    ran = run(environ, "status")
    assert ran.code == 69
    assert f"pid {os.getpid()}" in ran.err
    assert "tokenpakctl doctor" in ran.err


def test_does_not_wait_for_a_dead_pid_in_the_lock(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(environ).lock.write_text("999999999\n")
    monkeypatch.setattr("tokenpakctl.client.time.sleep", lambda seconds: pytest.fail("waited"))
    assert run(environ, "status").code == 69


def test_another_protocol_is_named_with_both_numbers(environ: dict[str, str], daemon: ControlDouble) -> None:
    daemon.hello = {"version": "9.0.0", "protocol": 7}
    daemon.answers["status"] = {}
    ran = run(environ, "status")
    assert ran.code == 1
    assert "tokenpakd 9.0.0 speaks control protocol 7" in ran.err


def test_another_version_is_named_beside_the_answer(environ: dict[str, str], daemon: ControlDouble) -> None:
    daemon.hello = {"version": "9.0.0", "protocol": 1}
    daemon.answers["resume"] = {"paused": False}
    ran = run(environ, "resume", "--json")
    assert ran.json == {"paused": False}
    assert "talks to tokenpakd 9.0.0" in ran.err


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"[1]\n", b'{"jsonrpc":"2.0","id":1}\n'])
def test_what_is_not_a_daemon_is_an_error_and_no_crash(environ: dict[str, str], said: bytes) -> None:
    with Peer(socket_of(environ), lambda peer: peer.sendall(said)):
        ran = run(environ, "status")
    assert ran.code in (1, 69)
    assert ran.err.startswith("tokenpakctl: ")
    assert "tokenpakctl " in ran.err.splitlines()[1]


def test_tail_prints_one_object_per_event_until_the_daemon_leaves(
    environ: dict[str, str], daemon: ControlDouble
) -> None:
    daemon.answers["tail"] = {}
    daemon.events["tail"] = [{"id": "a"}, {"id": "b"}]
    ran = run(environ, "tail", "-f", "--json")
    *events, ending = [json.loads(line) for line in ran.out.splitlines()]
    assert events == [{"id": "a"}, {"id": "b"}]
    assert ending["error"]["code"] == "unavailable"
    assert ran.code == 69
    assert daemon.requests[0]["params"] == {"backlog": 10}


class Peer:
    """One connection to a socket, handled by a function."""

    def __init__(self, path: Path, handle: Callable[[socket.socket], None]) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._handle = handle
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        peer, _ = self._listener.accept()
        with peer:
            self._handle(peer)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *exc: object) -> None:
        self._thread.join(5)
        self._listener.close()
