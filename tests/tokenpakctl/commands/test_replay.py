"""`tokenpakctl replay`: this process becomes `tokenpakd tool replay`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tokenpakctl.control_double import run
from tests.tokenpakd.replay.samples import chat, encoded
from tokenpakctl import cli
from tokenpakctl.commands.replay import tool_command

ROOT = Path(__file__).parents[3]


def _replayed(environ: dict[str, str], cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "tokenpakctl.cli", "replay", *arguments],
        env=environ, capture_output=True, text=True, check=False, cwd=cwd,
    )  # fmt: skip


def test_arguments_are_passed_on() -> None:
    parser = cli.parser("replay")
    assert tool_command(parser.parse_args(["a b.json"]), as_json=False) == [
        sys.executable, "-P", "-m", "tokenpakd", "tool", "replay", "--mode", "hybrid", "--", "a b.json"
    ]  # fmt: skip
    options = parser.parse_args(["--mode", "strict", "--model", "gpt-5", "--", "-x"])
    assert tool_command(options, as_json=True)[6:] == ["--mode", "strict", "--model", "gpt-5", "--json", "--", "-x"]


def test_a_transcript_is_replayed(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "msgspec.py").write_text("raise SystemExit('the working folder was trusted')\n")
    (tmp_path / "chat.json").write_bytes(encoded(chat()))
    done = _replayed(environ, tmp_path, "chat.json", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["sent_tokens"] < found["raw_tokens"]
    table = _replayed(environ, tmp_path, "chat.json", "--mode", "aggressive")
    assert (table.returncode, "mode aggressive" in table.stdout) == (0, True)


@pytest.mark.parametrize("arguments", [("--json",), ()])
def test_a_missing_file_is_said_in_the_form_asked_for(
    environ: dict[str, str], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    done = _replayed(environ, tmp_path, "none.json", *arguments)
    assert done.returncode == 1
    said = json.loads(done.stdout)["error"]["message"] if arguments else done.stderr
    assert "none.json cannot be read" in said


@pytest.mark.parametrize("arguments", [(), ("x", "y"), ("x", "--mode", "loose")])
def test_wrong_arguments_never_leave_this_process(environ: dict[str, str], arguments: tuple[str, ...]) -> None:
    ran = run(environ, "replay", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "tokenpakctl replay --help" in ran.err


def test_an_interpreter_that_is_gone_is_said(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    ran = run(environ, "replay", "x", "--json")
    assert (ran.code, "/nowhere/python cannot be run" in ran.json["error"]["message"]) == (1, True)
