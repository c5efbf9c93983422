"""Real processes: who may start, who must not, and what each says when it may not."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes.supervised import FAKE_DAEMON, Supervised, eventually, is_alive
from tokenpakd.processes import supervisor


def refused(home: Path, code: int, *, env: dict[str, str] | None = None, arguments: tuple[str, ...] = ()) -> str:
    """Start a daemon that must leave with this code; yield what it said."""
    with Supervised(home, env=env, arguments=arguments) as daemon:
        assert daemon.wait() == code, daemon.log
        return daemon.log


def test_of_twenty_daemons_at_once_one_lives_and_the_others_name_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    environ = {**os.environ, "TOKENPAK_HOME": str(home), "TOKENPAK_PORT": "0"}
    started = [
        subprocess.Popen(
            [sys.executable, str(FAKE_DAEMON)],
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(20)
    ]
    try:
        eventually(lambda: sum(process.poll() is not None for process in started) == 19)
        (living,) = [process for process in started if process.poll() is None]
        for process in started:
            if process is not living:
                assert process.stderr is not None
                said = process.stderr.read()
                assert process.returncode == supervisor.EXIT_ANOTHER_RUNS, said
                assert f"pid {living.pid}" in said
        assert is_alive(living.pid)
    finally:
        for process in started:
            process.kill()
            process.wait()
            if process.stderr is not None:
                process.stderr.close()


def test_a_state_folder_that_is_a_symlink_is_refused(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir(mode=0o700)
    (tmp_path / "home").symlink_to(real)
    assert "not a folder of ours" in refused(tmp_path / "home", supervisor.EXIT_UNSAFE)
    assert not (real / "tokenpakd.lock").exists()


def test_a_state_folder_others_may_write_to_is_refused_with_the_command_that_closes_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o775)
    assert f"chmod 700 {home}" in refused(home, supervisor.EXIT_UNSAFE)


@pytest.mark.parametrize("name", ["tokenpakd.lock", "salt", "token"])
def test_a_planted_symlink_is_refused_and_its_target_untouched(tmp_path: Path, name: str) -> None:
    home, target = tmp_path / "home", tmp_path / "target"
    home.mkdir(mode=0o700)
    target.write_text("mine")
    (home / name).symlink_to(target)
    refused(home, supervisor.EXIT_UNSAFE)
    assert target.read_text() == "mine"


def test_a_control_socket_path_that_is_no_socket_is_not_removed(tmp_path: Path) -> None:
    run = tmp_path / "home" / "run"
    run.mkdir(mode=0o700, parents=True)
    run.parent.chmod(0o700)
    (run / "control.sock").write_text("mine")
    assert "not a socket" in refused(tmp_path / "home", supervisor.EXIT_CONFIG)
    assert (run / "control.sock").read_text() == "mine"


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_taken_port_is_refused_and_its_owner_named(tmp_path: Path, family: socket.AddressFamily) -> None:
    with socket.socket(family) as squatter:
        squatter.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        said = refused(tmp_path / "home", supervisor.EXIT_CONFIG, env={"TOKENPAK_PORT": str(port)})
    assert f"uid {os.getuid()}, pid {os.getpid()}" in said
    assert not (tmp_path / "home" / "telemetry.db").exists()
    assert not (tmp_path / "home" / "run" / "control.sock").exists()


def test_an_address_that_others_reach_needs_the_local_token(tmp_path: Path) -> None:
    env = {"TOKENPAK_BIND_ADDRESS": "0.0.0.0"}
    assert "no local token" in refused(tmp_path / "home", supervisor.EXIT_CONFIG, env=env)
    token = tmp_path / "home" / "token"
    token.write_text("0123456789abcdef" * 4)
    token.chmod(0o600)
    with Supervised(tmp_path / "home", env=env).ready() as daemon:
        assert [url.rpartition(":")[0] for url in daemon.ask("status")["listening"]["http"]] == [
            "http://0.0.0.0",
            "http://[::1]",
        ]


@pytest.mark.parametrize(
    ("arguments", "code"), [(("--nonsense",), 64), (("--mode", "loose"), 78), (("--port", "x"), 78)]
)
def test_nonsense_on_the_command_line_is_refused(tmp_path: Path, arguments: tuple[str, ...], code: int) -> None:
    assert arguments[0] in refused(tmp_path / "home", code, arguments=arguments)


def test_checking_a_configuration_starts_nothing(tmp_path: Path) -> None:
    assert "configuration is good" in refused(tmp_path / "home", 0, arguments=("--check-config",))
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["config.yaml"]


def test_an_unknown_role_is_refused() -> None:
    command = [sys.executable, "-m", "tokenpakd", "fly"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, "unknown command 'fly'" in done.stderr) == (64, True)


def test_both_families_share_the_port_and_the_worker_knows_it(tmp_path: Path) -> None:
    with Supervised(tmp_path / "home").ready() as daemon:
        v4, v6 = daemon.get(), daemon.get(host="::1")
        assert v4["pid"] == v6["pid"]
        assert v4["port"] == daemon.port


def test_the_salt_stays_the_same_and_the_files_are_private(tmp_path: Path) -> None:
    salts = []
    for _ in range(2):
        with Supervised(tmp_path / "home").ready():
            salts.append((tmp_path / "home" / "salt").read_bytes())
            assert (tmp_path / "home" / "salt").stat().st_mode & 0o777 == 0o600
            assert (tmp_path / "home" / "run" / "control.sock").stat().st_mode & 0o777 == 0o600
    assert salts[0] == salts[1]
    assert len(salts[0]) == 32
