"""The user service: files written and removed, the same twice, and no user manager needed."""

import os
import plistlib
import re
from pathlib import Path

import pytest

from tests.tokenpakctl.control_double import run
from tokenpakctl import unit_templates
from tokenpakctl.commands import service
from tokenpakctl.session import Session

SERVICE = "# fill in @EXEC@\n[Service]\nExecStart=@EXEC@ --foreground\n"
SOCKET = "[Socket]\nListenStream=127.0.0.1:@PORT@\n# @WS_PORT@\nListenStream=[::1]:@WS_PORT@\n"


@pytest.fixture
def folder(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """No user manager, and templates that stay as they are."""
    monkeypatch.setattr(service, "_has_manager", lambda: False)
    monkeypatch.setattr("tokenpakctl.commands.service.sys.platform", "linux")
    monkeypatch.setattr(unit_templates, "template", lambda folder, name: SERVICE if "service" in name else SOCKET)
    monkeypatch.setattr(unit_templates, "daemon_executable", lambda: "/opt/t/bin/tokenpakd")
    return Path(environ["HOME"]) / ".config" / "systemd" / "user"


def test_install_writes_both_units_and_prints_what_is_left_to_run(environ: dict[str, str], folder: Path) -> None:
    ran = run({**environ, "TOKENPAK_PORT": "9100"}, "service", "install")
    assert ran.code == 0
    assert (
        folder / "tokenpakd.service"
    ).read_text() == "# fill in @EXEC@\n[Service]\nExecStart=/opt/t/bin/tokenpakd --foreground\n"
    expected = "[Socket]\nListenStream=127.0.0.1:9100\n# @WS_PORT@\nListenStream=[::1]:9101\n"
    assert (folder / "tokenpakd.socket").read_text() == expected
    assert (folder / "tokenpakd-ws.socket").exists()
    assert "ExecStart=/opt/t/bin/tokenpakd" in ran.out
    assert "does not see TOKENPAK_HOME, TOKENPAK_PORT of this shell" in ran.out
    assert "systemctl --user daemon-reload\n" in ran.out
    assert "systemctl --user enable --now tokenpakd.service tokenpakd.socket tokenpakd-ws.socket" in ran.out


def test_install_twice_is_once(environ: dict[str, str], folder: Path) -> None:
    first = run(environ, "service", "install", "--json").json
    assert len(first["written"]) == 3
    before = {path: os.stat(path).st_ino for path in folder.iterdir()}
    assert run(environ, "service", "install", "--json").json["written"] == []
    assert {path: os.stat(path).st_ino for path in folder.iterdir()} == before


def test_a_dry_run_writes_nothing(environ: dict[str, str], folder: Path) -> None:
    assert "ExecStart" in run(environ, "service", "install", "--dry-run").out
    assert not folder.exists()


def test_uninstall_takes_the_files_away_and_twice_is_once(environ: dict[str, str], folder: Path) -> None:
    run(environ, "service", "install")
    assert len(run(environ, "service", "uninstall", "--json").json["removed"]) == 3
    assert list(folder.iterdir()) == []
    assert run(environ, "service", "uninstall").out == "the service is not installed\n"


def test_status_tells_installed_from_not_and_changed_from_shipped(environ: dict[str, str], folder: Path) -> None:
    assert run(environ, "service", "status").code == 1
    run(environ, "service", "install")
    assert run(environ, "service", "status", "--json").json["as_shipped"] is True
    (folder / "tokenpakd.service").write_text("[Service]\n")
    ran = run(environ, "service", "status")
    assert ran.code == 0
    assert "run `tokenpakctl service install`" in ran.out


def test_commands_run_in_order_where_there_is_a_manager(
    environ: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log, tool = tmp_path / "log", tmp_path / "systemctl"
    tool.write_text(f'#!/bin/sh\necho "$@" >> {log}\ncase "$*" in *disable*) exit 1;; esac\n')
    tool.chmod(0o755)
    monkeypatch.undo()
    monkeypatch.setattr(unit_templates, "template", lambda folder, name: SERVICE)
    monkeypatch.setattr("tokenpakctl.commands.service.sys.platform", "linux")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    installed = run(environ, "service", "install", "--json").json
    assert installed["left_to_run"] == []
    assert log.read_text().splitlines() == [
        "--user show-environment",
        "--user daemon-reload",
        "--user enable --now tokenpakd.service tokenpakd.socket tokenpakd-ws.socket",
    ]
    removed = run(environ, "service", "uninstall", "--json").json
    assert removed["left_to_run"] == [
        "systemctl --user disable --now tokenpakd.service tokenpakd.socket tokenpakd-ws.socket"
    ]


def test_launchd_gets_its_property_list(environ: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokenpakctl.commands.service.sys.platform", "darwin")
    monkeypatch.setattr(unit_templates, "template", lambda folder, name: "<!-- @EXEC@ --><string>@EXEC@ @LOG@</string>")
    monkeypatch.setattr(unit_templates, "daemon_executable", lambda: "/Users/a&b/tokenpakd")
    ran = run(environ, "service", "install", "--json").json
    [path] = ran["files"]
    log = f"{environ['TOKENPAK_HOME']}/log/tokenpakd.log"
    assert path.endswith("/Library/LaunchAgents/ai.tokenpak.tokenpakd.plist")
    assert Path(path).read_text() == f"<!-- @EXEC@ --><string>/Users/a&amp;b/tokenpakd {log}</string>"
    assert ran["left_to_run"] == [f"launchctl bootstrap gui/{os.getuid()} {path}"]


def test_folders_that_the_daemon_writes_to_are_made_and_named(
    environ: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Path(environ["TOKENPAK_HOME"])
    (home / "config.yaml").write_text(f"database: {home.parent}/my $data/t.db\nvault: {{path: vaults}}\n")
    monkeypatch.setattr(unit_templates, "template", lambda folder, name: "ReadWritePaths=%t @WRITABLE@\n")
    run(environ, "service", "install")
    line = (folder / "tokenpakd.service").read_text()
    assert line == f'ReadWritePaths=%t {home} "{home.parent}/my $data"\n'
    assert (home.parent / "my $data").stat().st_mode & 0o777 == 0o700


def test_the_shipped_templates_are_filled_in_whole(environ: dict[str, str]) -> None:
    """The real files: no placeholder is left outside comments, and the property list still is one."""
    session = Session(environ, as_json=True)
    texts = [*service._systemd(session).files.values(), *service._launchd(session).files.values()]
    assert len(texts) == 4
    for text in texts[:3]:
        directives = [line for line in text.splitlines() if not line.startswith("#")]
        assert not any(re.search("@[A-Z_]+@", line) for line in directives)
    assert plistlib.loads(texts[3].encode())["ProgramArguments"][0] == unit_templates.daemon_executable()
