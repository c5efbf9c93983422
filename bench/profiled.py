"""Put one load on a daemon of its own while py-spy watches the data plane; print where the time goes.

python bench/profiled.py [BODY] [CLIENTS] [MODE]     BODY: 2k, 2k-fresh, 100k, 1m, 2k-stream or 2k-stream5
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import foldprof
import load
from bodies import write_bodies
from lab import compile_native, daemon, mock_provider

HERE = Path(__file__).parent
SECONDS = 6


def main(body: str = "2k", clients: str = "8", mode: str = "strict") -> int:
    """Profile one case; 69 when py-spy is missing."""
    spy = shutil.which("py-spy") or shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if spy is None:
        print("profiled: py-spy is not installed: pip install py-spy", file=sys.stderr)
        return 69
    programs = compile_native()
    out = HERE / "out" / time.strftime(f"profile-{body}-c{clients}-{mode}-%Y%m%d-%H%M%S.txt")
    out.parent.mkdir(exist_ok=True)
    headers = ["x-api-key: sk-ant-bench", "anthropic-version: 2023-06-01", f"x-tokenpak-mode: {mode}"]
    with tempfile.TemporaryDirectory() as folder, mock_provider(programs["mock_upstream"]) as mock_port:
        bodies = write_bodies(Path(folder) / "bodies")
        with daemon(Path(folder) / "home", mock_port, bodies["2k"].read_bytes()) as served:
            pid = str(served.data_plane().pid)
            command = [spy, "record", "-p", pid, "-d", str(SECONDS - 1), "-r", "250", "-f", "raw", "-o", str(out)]
            watcher = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            if "stream" in body:
                found = load.sse(
                    programs["load_sse"],
                    served.url,
                    bodies[body],
                    clients=int(clients),
                    streams=10**9,
                    seconds=SECONDS,
                    headers=headers,
                )["run"]
            else:
                found = load.unary(served.url, bodies[body], clients=int(clients), seconds=SECONDS, headers=headers)
            watcher.wait(30)
    print({figure: round(value, 1) for figure, value in found.items()})
    foldprof.main(str(out))
    print(f"\nprofile: {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
