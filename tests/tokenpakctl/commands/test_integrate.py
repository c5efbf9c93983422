"""The settings file on disk: what is written, what is kept, what is put back."""

import os
import stat
from pathlib import Path

import pytest

from tests.tokenpakctl.commands.samples import STATUS
from tests.tokenpakctl.control_double import ControlDouble, run

CLIENT = ("integrate", "claude-code")
SAMPLE = b'{\r\n\t"model": "opus",\r\n\t"env": {\r\n\t\t"ANTHROPIC_API_KEY": "sk-ant-secret"\r\n\t}\r\n}'


@pytest.fixture
def settings(environ: dict[str, str]) -> Path:
    return Path(environ["HOME"]) / ".claude" / "settings.json"


def _write(path: Path, content: bytes, mode: int = 0o640) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    path.chmod(mode)


@pytest.mark.parametrize("url", ["http://", "https:///", "ftp://localhost", "localhost:8766", "http://a b"])
def test_an_address_that_is_none_is_refused(environ: dict[str, str], url: str) -> None:
    assert run(environ, "integrate", "claude-code", "--apply", "--url", url).code == 2


def test_a_pipe_in_place_of_the_settings_is_not_waited_for(environ: dict[str, str], settings: Path) -> None:
    settings.parent.mkdir()
    os.mkfifo(settings)
    ran = run(environ, "integrate", "claude-code", "--apply")
    assert (ran.code, "is a pipe" in ran.err) == (1, True)


def test_without_apply_nothing_is_written(environ: dict[str, str], settings: Path) -> None:
    _write(settings, SAMPLE)
    ran = run(environ, *CLIENT)
    assert ran.code == 0
    assert '+\t\t"ANTHROPIC_BASE_URL": "http://localhost:8766"' in ran.out
    assert "sk-ant-secret" not in ran.out
    assert settings.read_bytes() == SAMPLE
    assert not (Path(environ["TOKENPAK_HOME"]) / "backups").exists()


def test_apply_and_revert_keep_every_other_byte_and_the_mode(environ: dict[str, str], settings: Path) -> None:
    _write(settings, SAMPLE)
    assert run(environ, *CLIENT, "--apply").code == 0
    applied = settings.read_bytes()
    assert applied == SAMPLE.replace(b'secret"', b'secret",\r\n\t\t"ANTHROPIC_BASE_URL": "http://localhost:8766"')
    assert stat.S_IMODE(settings.stat().st_mode) == 0o640
    again = run(environ, *CLIENT, "--apply", "--json")
    assert (again.json["action"], again.json["written"]) == ("already", False)
    assert settings.read_bytes() == applied
    assert run(environ, *CLIENT, "--revert", "--json").json["action"] == "restore"
    assert settings.read_bytes() == SAMPLE
    assert stat.S_IMODE(settings.stat().st_mode) == 0o640
    assert run(environ, *CLIENT, "--revert", "--json").json["action"] == "nothing"
    assert [entry.name for entry in settings.parent.iterdir()] == ["settings.json"]


def test_a_file_and_folder_that_were_not_there_go_away_again(environ: dict[str, str], settings: Path) -> None:
    assert run(environ, *CLIENT, "--apply").code == 0
    assert stat.S_IMODE(settings.stat().st_mode) == 0o600
    assert run(environ, *CLIENT, "--revert").code == 0
    assert not settings.parent.exists()


def test_a_folder_that_holds_something_else_by_then_stays(environ: dict[str, str], settings: Path) -> None:
    run(environ, *CLIENT, "--apply")
    (settings.parent / "history").write_text("")
    run(environ, *CLIENT, "--revert")
    assert not settings.exists()
    assert settings.parent.exists()


def test_the_backup_is_the_owners_alone(environ: dict[str, str], settings: Path) -> None:
    _write(settings, SAMPLE)
    backup = Path(run(environ, *CLIENT, "--apply", "--json").json["backup"])
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert stat.S_IMODE(backup.parent.stat().st_mode) == 0o700
    assert backup.is_relative_to(environ["TOKENPAK_HOME"])


def test_an_earlier_gateway_is_named_and_comes_back(environ: dict[str, str], settings: Path) -> None:
    before = b'{"env": {"ANTHROPIC_BASE_URL": "https://gateway.example"}}'
    _write(settings, before)
    ran = run(environ, *CLIENT, "--apply")
    assert "It pointed at https://gateway.example before." in ran.out
    settings.write_bytes(settings.read_bytes().replace(b"{", b'{"new": 1, ', 1))
    ran = run(environ, *CLIENT, "--revert")
    assert "changed by others since" in ran.out
    assert settings.read_bytes() == before.replace(b"{", b'{"new": 1, ', 1)


def test_a_symbolic_link_is_followed_and_stays_one(environ: dict[str, str], settings: Path, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles.json"
    target.write_bytes(b"{}")
    settings.parent.mkdir()
    settings.symlink_to(target)
    run(environ, *CLIENT, "--apply")
    assert settings.is_symlink()
    assert b"ANTHROPIC_BASE_URL" in target.read_bytes()
    run(environ, *CLIENT, "--revert")
    assert target.read_bytes() == b"{}"


@pytest.mark.parametrize("content", [b'{"a": 1,}', b"[]", b'{"env": "x"}', b"\xff\xfe{\x00}\x00", b'// c\n{"a": 1}'])
def test_a_file_that_is_not_usable_is_refused_and_left_alone(
    environ: dict[str, str], settings: Path, content: bytes
) -> None:
    _write(settings, content)
    ran = run(environ, *CLIENT, "--apply", "--json")
    assert (ran.code, ran.json["error"]["code"]) == (1, "bad_settings")
    assert "nothing was written" in ran.json["error"]["message"]
    assert settings.read_bytes() == content


def test_a_folder_in_place_of_the_file_is_refused(environ: dict[str, str], settings: Path) -> None:
    settings.mkdir(parents=True)
    assert run(environ, *CLIENT, "--apply").code == 1


def test_a_change_by_somebody_else_meanwhile_wins(
    environ: dict[str, str], settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(settings, b"{}")
    real_fsync = os.fsync

    def meanwhile(descriptor: int) -> None:
        if settings.read_bytes() == b"{}":
            settings.write_bytes(b'{"theirs": 1}')
        real_fsync(descriptor)

    monkeypatch.setattr("tokenpakctl.settings_file.os.fsync", meanwhile)
    ran = run(environ, *CLIENT, "--apply", "--json")
    assert (ran.code, ran.json["error"]["code"]) == (1, "settings_file")
    assert settings.read_bytes() == b'{"theirs": 1}'


def test_the_folder_named_by_the_client_is_used(environ: dict[str, str], tmp_path: Path) -> None:
    environ["CLAUDE_CONFIG_DIR"] = str(tmp_path / "other")
    assert run(environ, *CLIENT, "--apply", "--json").json["path"] == str(tmp_path / "other" / "settings.json")
    assert (tmp_path / "other" / "settings.json").exists()


def test_the_port_comes_from_the_daemon_then_the_environment_then_the_file(
    environ: dict[str, str], daemon: ControlDouble
) -> None:
    config = Path(environ["TOKENPAK_HOME"]) / "config.yaml"
    config.write_text("listen: {port: 9003}\n")
    listening = {"http": ["http://127.0.0.1:9001"]}
    daemon.answers["status"] = {**STATUS, "listening": listening}
    urls = [run(environ, *CLIENT, "--json").json["url"]]
    del daemon.answers["status"]
    environ["TOKENPAK_PORT"] = "9002"
    urls.append(run(environ, *CLIENT, "--json").json["url"])
    del environ["TOKENPAK_PORT"]
    urls.append(run(environ, *CLIENT, "--json").json["url"])
    config.unlink()
    urls.append(run(environ, *CLIENT, "--json").json["url"])
    assert urls == [f"http://localhost:{port}" for port in (9001, 9002, 9003, 8766)]
