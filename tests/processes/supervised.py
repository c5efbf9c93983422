"""A daemon with the fake data plane as a process of its own: started, asked, ended."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

FAKE_DAEMON = Path(__file__).with_name("fake_daemon.py")
ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 30.0


def eventually(look: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
    """Yield the first true answer; fail when none comes in time. An error of the network counts as no answer."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        with contextlib.suppress(OSError, http.client.HTTPException, json.JSONDecodeError):
            if found := look():
                return found
        time.sleep(0.02)
    raise AssertionError(f"not so within {deadline_s} s")


def is_alive(pid: int) -> bool:
    """Say whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Supervised:
    """One daemon. Everything it writes is under `home`."""

    def __init__(
        self,
        home: Path,
        *,
        config: Mapping[str, object] | None = None,
        env: Mapping[str, str] | None = None,
        arguments: tuple[str, ...] = (),
        command: tuple[str, ...] | None = None,
        pass_fds: tuple[int, ...] = (),
    ) -> None:
        self.home = home
        home.mkdir(mode=0o700, exist_ok=True)
        self.configure(config or {})
        self.log_file = home.parent / f"{home.name}.log"
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("TOKENPAK", "XDG_"))}
        environ |= {"TOKENPAK_HOME": str(home), "TOKENPAK_PORT": "0", **(env or {})}
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*(command or (sys.executable, str(FAKE_DAEMON))), *arguments],
                env=environ,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=pass_fds,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(6)
        self.process.kill()
        self.process.wait()

    @property
    def log(self) -> str:
        """Everything it has said."""
        return self.log_file.read_text(errors="replace")

    def configure(self, config: Mapping[str, object]) -> None:
        """Write config.yaml whole; JSON is YAML."""
        (self.home / "config.yaml").write_text(json.dumps(config))

    def ask(self, method: str, **params: object) -> Any:
        """Call a verb; raises AssertionError with the error object when it says no."""
        answer = self.rpc({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        assert "error" not in answer, answer
        return answer["result"]

    def rpc(self, request: object, deadline_s: float = 20) -> Any:
        """Send one line and yield the answer to it."""
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(deadline_s)
            channel.connect(str(self.home / "run" / "control.sock"))
            channel.sendall(json.dumps(request).encode() + b"\n")
            with channel.makefile("rb") as lines:
                assert json.loads(lines.readline())["method"] == "hello"
                return json.loads(lines.readline())

    def ready(self) -> Self:
        """Return once the data plane answers through the listeners."""
        self.port = int(eventually(self._port))
        eventually(self.get)
        return self

    def get(self, path: str = "/", *, host: str = "127.0.0.1", deadline_s: float = 8) -> Any:
        """Ask the worker what it knows."""
        connection = http.client.HTTPConnection(host, self.port, timeout=deadline_s)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())

    def get_from_other_than(self, pid: int, deadline_s: float = 8) -> Any:
        """Ask until another worker answers: an old one takes what it accepts before it reads that it is to drain."""
        end_s = time.monotonic() + deadline_s
        while (found := self.get())["pid"] == pid:
            assert time.monotonic() < end_s, f"still {pid} after {deadline_s} s"
            time.sleep(0.02)
        return found

    def signal(self, number: signal.Signals) -> None:
        """Send the supervisor a signal."""
        self.process.send_signal(number)

    def wait(self, deadline_s: float = 20) -> int:
        """Yield its exit code."""
        return self.process.wait(deadline_s)

    def children(self) -> list[int]:
        """List the workers' pids."""
        return [worker["pid"] for worker in self.ask("status")["workers"] if worker["pid"]]

    def _port(self) -> int:
        assert self.process.poll() is None, self.log
        return int(self.ask("status")["listening"]["http"][0].rpartition(":")[2])
