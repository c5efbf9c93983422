"""What doctor finds, with the exit code that belongs to it; no daemon is needed."""

import os
import socket
import threading
from pathlib import Path

import pytest

from tests.tokenpakctl.control_double import ControlDouble, Json, run, socket_of
from tokenpakctl import checks
from tokenpakctl.checks import Finding
from tokenpakctl.commands import doctor
from tokenpakctl.session import Session
from tokenpakd.paths import resolve

URLS = frozenset(["http://localhost:8766", "http://127.0.0.1:8766"])


@pytest.fixture(autouse=True)
def good_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting a Python for --check-config is a test of its own."""
    monkeypatch.setattr(doctor, "_configuration", lambda session: Finding("configuration", "ok", "good"))


def _checks(environ: dict[str, str], name: str) -> list[Json]:
    return [check for check in run(environ, "doctor", "--json").json["checks"] if check["name"].startswith(name)]


def test_no_daemon_is_a_warning_and_1(environ: dict[str, str]) -> None:
    environ["TOKENPAK_PORT"] = str(_free_port())
    ran = run(environ, "doctor")
    assert ran.code == 1, ran.out
    assert ran.out.startswith("! daemon: no daemon answers on ")
    assert "    → tokenpak serve" in ran.out
    assert "✓ port " in ran.out


def test_colour_only_where_it_is_wanted(environ: dict[str, str]) -> None:
    assert "\x1b" not in run(environ, "doctor").out
    assert "\x1b[33m!\x1b[0m daemon" in run({**environ, "CLICOLOR_FORCE": "1"}, "doctor").out
    assert "\x1b" not in run({**environ, "CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, "doctor").out


def test_a_taken_port_is_a_failure_and_2(environ: dict[str, str]) -> None:
    with Answering(b"HTTP/1.1 200 OK\r\n\r\nhello") as port:
        environ["TOKENPAK_PORT"] = str(port)
        ran = run(environ, "doctor", "--json")
    assert (ran.code, ran.json["level"]) == (2, "fail")
    [check] = [check for check in ran.json["checks"] if check["name"] == f"port {port}"]
    assert "another program" in check["message"]
    assert str(port) in check["fix"]


def test_the_daemons_own_findings_are_part_of_the_report(environ: dict[str, str], daemon: ControlDouble) -> None:
    health = b'HTTP/1.1 200 OK\r\n\r\n{"status": "ok", "version": "0.1.0"}'
    daemon.answers["version"] = {"version": "0.1.0"}
    daemon.answers["doctor"] = {"checks": [{"name": "worker a", "level": "fail", "message": "dead", "fix": "look"}]}
    with Answering(health) as port:
        daemon.answers["status"] = {"listening": {"http": [f"http://127.0.0.1:{port}"]}}
        ran = run(environ, "doctor", "--json")
    found = {check["name"]: check["level"] for check in ran.json["checks"]}
    assert ran.code == 2
    assert found["daemon"] == "ok"
    assert found["worker a"] == "fail"
    assert found[f"port {port} on 127.0.0.1"] == "ok"
    assert found[f"port {port} on ::1"] == "warn"


def test_a_lock_held_by_a_silent_process_is_a_failure(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokenpakctl.client.START_WAIT_S", 0.0)
    resolve(environ).lock.write_text(f"{os.getpid()}\n")
    [check] = _checks(environ, "daemon")
    assert check["level"] == "fail"
    assert f"kill {os.getpid()}" in check["fix"]


def test_a_client_pointed_at_a_dead_daemon_is_a_failure(environ: dict[str, str]) -> None:
    run(environ, "integrate", "claude-code", "--apply")
    [check] = _checks(environ, "Claude Code")
    assert check["level"] == "fail"
    assert "--revert" in check["fix"]


@pytest.mark.parametrize(
    ("content", "level"),
    [
        (b"{}", "ok"),
        (b'{"env": {"ANTHROPIC_BASE_URL": "http://localhost:8766/"}}', "ok"),
        (b'{"env": {"ANTHROPIC_BASE_URL": "https://gateway.example"}}', "warn"),
        (b"{,}", "warn"),
    ],
)
def test_client_settings(tmp_path: Path, content: bytes, level: str) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(content)
    assert checks.client_settings(str(path), URLS, is_running=True).level == level


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({}, ["environment"]),
        ({"ANTHROPIC_API_KEY": "k1", "ANTHROPIC_AUTH_TOKEN": "k2"}, ["credentials"]),
        ({"ANTHROPIC_BASE_URL": "http://localhost:8766/"}, ["environment"]),
        ({"ANTHROPIC_BASE_URL": "https://user:k1@other"}, ["ANTHROPIC_BASE_URL"]),
        ({"HTTP_PROXY": "http://proxy:1"}, ["proxy"]),
        ({"HTTP_PROXY": "http://proxy:1", "NO_PROXY": "localhost, 127.0.0.1"}, ["environment"]),
        ({"all_proxy": "socks5://proxy:1", "no_proxy": "*"}, ["environment"]),
    ],
)
def test_environment(environ: dict[str, str], names: list[str]) -> None:
    found = checks.environment(environ, URLS)
    assert [finding.name for finding in found] == names
    assert not any(secret in finding.message for finding in found for secret in ("k1", "k2"))


def test_a_state_folder_that_others_may_write_to_is_a_failure(environ: dict[str, str]) -> None:
    os.chmod(environ["TOKENPAK_HOME"], 0o770)
    [check] = _checks(environ, "permissions")
    assert check["level"] == "fail"
    assert check["fix"].startswith("chmod 700 ")


@pytest.mark.parametrize(
    ("content", "levels"), [(b"", []), (b"SQLite format 3\0" + b"x" * 90, []), (b"junk", ["fail"])]
)
def test_the_store_is_looked_at_without_opening_it(environ: dict[str, str], content: bytes, levels: list[str]) -> None:
    database = resolve(environ).database
    database.write_bytes(content)
    database.chmod(0o600)
    assert [check["level"] for check in _checks(environ, "telemetry store")] == levels


def test_a_symbolic_link_as_store_is_a_failure(environ: dict[str, str], tmp_path: Path) -> None:
    resolve(environ).database.symlink_to(tmp_path / "elsewhere")
    assert [check["level"] for check in _checks(environ, "telemetry store")] == ["fail"]


def test_a_left_over_socket_is_harmless(environ: dict[str, str]) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(socket_of(environ)))
    socket_of(environ).chmod(0o600)
    assert [check["level"] for check in _checks(environ, "socket")] == ["ok"]


def test_a_bad_configuration_file_is_quoted(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    resolve(environ).config_file.write_text("mode: turbo\n")
    found = doctor._configuration(Session(environ, as_json=False))
    assert found.level == "fail"
    assert "turbo" in found.message, found.message
    resolve(environ).config_file.write_text("mode: strict\n")
    assert doctor._configuration(Session(environ, as_json=False)).level == "ok"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class Answering:
    """Something that answers every connection on a loopback port with the same bytes."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._server = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> int:
        threading.Thread(target=self._serve, daemon=True).start()
        port: int = self._server.getsockname()[1]
        return port

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            with peer:
                peer.recv(65536)
                peer.sendall(self._answer)

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
