"""`tokenpakd demo --once`, whole: real daemon, real provider process, real HTTP."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tokenpakd.demo import children

ROOT = Path(__file__).resolve().parents[3]


def test_demo_prints_a_saving_and_every_check_holds(tmp_path: Path) -> None:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("TOKENPAK_")}
    done = subprocess.run(
        [sys.executable, "-m", "tokenpakd", "demo", "--once"],
        cwd=ROOT, env=environ | {"TMPDIR": str(tmp_path)}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "CHECK FAILED" not in done.stdout
    assert re.search(r"removed +0 \(0\.0 %\) +[1-9][\d,]* \(\d+\.\d %\)", done.stdout), done.stdout
    assert re.search(r"prefix breaks +0 +0\n", done.stdout), done.stdout
    assert re.search(r"against uncompressed +-", done.stdout), done.stdout
    assert list(tmp_path.iterdir()) == []


def test_demo_serves_until_ctrl_c_and_leaves_nothing_behind(tmp_path: Path) -> None:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("TOKENPAK_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "tokenpakd", "demo"],
        cwd=ROOT, env=environ | {"TMPDIR": str(tmp_path)}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("Ctrl-C ends it"):
                break
        url = re.search(r"export ANTHROPIC_BASE_URL=http://127\.0\.0\.1:(\d+)", said)
        assert url is not None, said
        assert children.get_json(int(url[1]), "/health")["status"] == "ok"
        process.send_signal(signal.SIGINT)
        assert process.stdout.read().strip() == "stopped"
        assert process.wait(20) == 0
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConnectionError):
        children.get(int(url[1]), "/health")
