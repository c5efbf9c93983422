"""`tokenpakd demo --once`, whole: real daemon, real provider process, real HTTP."""

import os
import re
import subprocess
import sys
from pathlib import Path

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
