"""Every path from the environment alone, and nothing created on the way."""

import os
import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

from tokenpakd.paths import resolve

_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the folders of Linux")


def test_home_holds_everything(tmp_path: Path) -> None:
    paths = resolve({"TOKENPAK_HOME": str(tmp_path), "XDG_RUNTIME_DIR": "/run/user/1", "STATE_DIRECTORY": "/var/lib/x"})
    assert paths.home == tmp_path
    assert paths.config_file == tmp_path / "config.yaml"
    assert paths.socket == tmp_path / "run" / "control.sock"
    assert all(path.is_relative_to(tmp_path) for path in paths if path is not None)
    assert list(tmp_path.iterdir()) == []


def test_home_may_be_relative_or_start_with_a_tilde(tmp_path: Path) -> None:
    assert resolve({"TOKENPAK_HOME": "~/t", "HOME": str(tmp_path)}).home == tmp_path / "t"
    assert resolve({"TOKENPAK_HOME": "t"}).home == Path.cwd() / "t"


@_LINUX
def test_systemd_folders_win(tmp_path: Path) -> None:
    (tmp_path / ".tokenpak").mkdir()
    paths = resolve(
        {
            "HOME": str(tmp_path),
            "STATE_DIRECTORY": "/var/lib/tokenpak:/var/lib/other",
            "RUNTIME_DIRECTORY": "/run/tokenpak",
            "CONFIGURATION_DIRECTORY": "/etc/tokenpak",
        }
    )
    assert paths.home is None
    assert paths.config_file == Path("/etc/tokenpak/config.yaml")
    assert paths.database == Path("/var/lib/tokenpak/telemetry.db")
    assert paths.log_dir == Path("/var/lib/tokenpak/log")
    assert paths.socket == Path("/run/tokenpak/control.sock")


@_LINUX
def test_a_user_service_and_a_shell_meet_at_the_same_socket(tmp_path: Path) -> None:
    (tmp_path / ".tokenpak").mkdir()
    shell = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": "/run/user/1000"}
    service = {
        **shell,
        "RUNTIME_DIRECTORY": "/run/user/1000/tokenpak",
        "STATE_DIRECTORY": "/home/me/.local/state/tokenpak",
    }
    assert resolve(shell).socket == resolve(service).socket


def test_an_existing_folder_of_old_is_honoured(tmp_path: Path) -> None:
    old = tmp_path / ".tokenpak"
    old.mkdir()
    paths = resolve({"HOME": str(tmp_path)})
    assert (paths.home, paths.config_file, paths.state_dir) == (old, old / "config.yaml", old)
    assert paths.socket == old / "run" / "control.sock"


@_LINUX
def test_gives_the_folders_of_platformdirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    for state in (None, str(tmp_path / "elsewhere")):
        if state:
            monkeypatch.setenv("XDG_STATE_HOME", state)
        paths = resolve(os.environ)
        assert paths.config_file.parent == platformdirs.user_config_path("tokenpak")
        assert paths.state_dir == platformdirs.user_state_path("tokenpak")
        assert paths.log_dir == platformdirs.user_log_path("tokenpak")
        assert paths.runtime_dir == platformdirs.user_runtime_path("tokenpak")


@_LINUX
def test_without_a_runtime_folder_the_socket_is_under_the_state_folder_and_never_in_tmp(tmp_path: Path) -> None:
    paths = resolve({"HOME": str(tmp_path), "TMPDIR": "/tmp"})
    assert paths.runtime_dir == tmp_path / ".local" / "state" / "tokenpak" / "run"
    assert list(tmp_path.iterdir()) == []


def test_relative_folders_of_the_desktop_are_ignored(tmp_path: Path) -> None:
    assert resolve({"HOME": str(tmp_path), "XDG_RUNTIME_DIR": "run"}).runtime_dir.is_relative_to(tmp_path)


def test_single_paths_can_be_moved(tmp_path: Path) -> None:
    paths = resolve({"TOKENPAK_HOME": str(tmp_path), "TOKENPAK_SOCKET": "/run/x.sock", "TOKENPAK_DB": "/var/t.db"})
    assert (paths.socket, paths.database) == (Path("/run/x.sock"), Path("/var/t.db"))
    assert paths.lock.is_relative_to(tmp_path)


@pytest.mark.parametrize("runtime", [None, "/run/user/1000", "/" + "r" * 95])
def test_a_socket_path_always_fits_and_is_the_same_each_time(runtime: str | None) -> None:
    environ = {"TOKENPAK_HOME": "/" + "deep/" * 30, **({"XDG_RUNTIME_DIR": runtime} if runtime else {})}
    socket = resolve(environ).socket
    assert len(os.fsencode(socket)) <= 100
    assert socket == resolve(dict(environ)).socket
    assert socket != resolve({**environ, "TOKENPAK_HOME": "/" + "deep/" * 31}).socket
    folder = "/run/user/1000/tokenpak" if runtime == "/run/user/1000" else f"/tmp/tokenpak-{os.getuid()}"
    assert str(socket.parent) == folder


@_LINUX
def test_platformdirs_is_not_loaded_where_it_is_not_needed() -> None:
    code = "import sys, tokenpakd.paths as p; p.resolve({'HOME': '/x'}); print('platformdirs' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
