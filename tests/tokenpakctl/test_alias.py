"""The third name: the daemon's roles become the daemon, everything else is tokenpakctl's."""

import json
import subprocess
import sys
from pathlib import Path

from tokenpakctl.alias import daemon_command

ROOT = Path(__file__).parents[2]


def test_the_alias_keeps_the_interpreter_and_distrusts_the_working_folder() -> None:
    assert daemon_command(["serve", "--port", "0"]) == [
        sys.executable, "-P", "-m", "tokenpakd", "serve", "--port", "0"
    ]  # fmt: skip


def test_the_alias_hands_other_verbs_to_tokenpakctl(environ: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tokenpakctl.alias", "status", "--json"],
        env=environ, capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 69
    assert json.loads(done.stdout)["error"]["code"] == "unavailable"


def test_the_alias_becomes_the_daemon(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "trio.py").write_text("raise SystemExit('the working folder was trusted')\n")
    done = subprocess.run(
        [str(Path(sys.executable).with_name("tokenpak")), "serve", "--check-config"],
        env=environ, capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
