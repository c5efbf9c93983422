"""What is seen from outside the daemon, one look at a time."""

import importlib.util
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from tokenpakctl import checks
from tokenpakd.paths import resolve

URLS = frozenset(["http://localhost:8766", "http://127.0.0.1:8766"])


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


def test_a_client_pointed_at_us_while_we_are_gone_is_a_failure_with_two_ways_out(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"env": {"ANTHROPIC_BASE_URL": "http://localhost:8766"}}')
    found = checks.client_settings(str(path), URLS, is_running=False)
    assert (found.level, "tokenpak serve" in found.fix, "--revert" in found.fix) == ("fail", True, True)


def test_a_password_in_the_clients_address_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"env": {"ANTHROPIC_BASE_URL": "https://me:pw1@gateway.example"}}')
    found = checks.client_settings(str(path), URLS, is_running=True)
    assert "gateway.example" in found.message
    assert "pw1" not in found.message


def test_settings_that_are_a_folder_are_a_warning(tmp_path: Path) -> None:
    assert checks.client_settings(str(tmp_path), URLS, is_running=True).level == "warn"


@pytest.mark.parametrize(
    ("name", "mode", "is_bad"),
    [
        ("salt", 0o600, False),
        ("salt", 0o400, False),
        ("salt", 0o640, True),
        ("salt", 0o602, True),
        ("", 0o755, False),
        ("", 0o720, True),
        ("", 0o1777, True),
        ("run", 0o702, True),
    ],
)
def test_what_others_may_write_to_or_a_secret_they_may_read_is_a_failure(
    environ: dict[str, str], name: str, mode: int, is_bad: bool
) -> None:
    path = Path(environ["TOKENPAK_HOME"]) / name
    if name == "salt":
        path.write_bytes(b"x")
    path.chmod(mode)
    found = checks.files(resolve(environ), is_running=True)
    path.chmod(0o700)
    assert [one.name for one in found] == (["permissions"] if is_bad else ["files"])
    if is_bad:
        assert found[0].fix == f"chmod {0o600 if name == 'salt' else 0o700:o} {str(path).rstrip('/')}"
        assert f"{mode:04o}" in found[0].message


def test_what_belongs_to_somebody_else_is_a_failure(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    uid = os.geteuid()
    monkeypatch.setattr("tokenpakctl.checks.os.geteuid", lambda: uid + 1)
    found = checks.files(resolve(environ), is_running=True)
    assert {one.name for one in found} == {"owner"}
    assert found[0].fix.startswith(f"sudo chown {uid + 1} ")


@pytest.mark.parametrize(
    ("free", "level"), [(10**6, "fail"), (60 * 2**20, "warn"), (500 * 2**20 - 1, "warn"), (10**12, "ok")]
)
def test_room_on_the_disk(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, free: int, level: str) -> None:
    environ["TOKENPAK_HOME"] += "/not/there/yet"
    asked: list[str] = []

    def usage(folder: str) -> SimpleNamespace:
        asked.append(folder)
        return SimpleNamespace(free=free)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    found = checks.disk(resolve(environ))
    assert found.level == level
    assert bool(found.fix) == (level != "ok")
    assert os.path.isdir(asked[0])  # the nearest folder that is there


@pytest.mark.parametrize(
    ("missing", "level", "said"),
    [((), "ok", "complete"), (("brotli",), "warn", "answers in br"), (("apsw", "brotli"), "fail", "missing: apsw")],
)
def test_packages_that_are_missing_are_named(
    monkeypatch: pytest.MonkeyPatch, missing: tuple[str, ...], level: str, said: str
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else object())
    [found] = checks.installation()
    assert (found.level, found.message.startswith(said)) == (level, True)


@pytest.mark.parametrize(
    ("is_there", "message"), [(True, "on"), (False, "off, counts of tokens are estimates - install tokenpak[tokens]")]
)
def test_an_extra_says_how_to_get_it_and_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, is_there: bool, message: str
) -> None:
    asked: list[str] = []

    def find_spec(name: str) -> object:
        asked.append(name)
        return object() if is_there else None

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    [found] = checks.extras()
    assert found.fields() == {"name": "tokens", "level": "ok", "message": message, "fix": ""}
    assert asked == ["bpe_openai"]


def test_a_finding_is_four_fields() -> None:
    fields = {"name": "n", "level": "ok", "message": "m", "fix": ""}
    assert checks.Finding("n", "ok", "m").fields() == fields
