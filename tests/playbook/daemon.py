"""The real daemon as a process of its own, for every test that needs one.

    with start_daemon(tmp_path, providers={"anthropic": provider.url}) as daemon:
        daemon.get_json("/health")

Everything it writes is under `tmp_path`; its ports are free ones; nothing of the caller's TOKENPAK_* environment or
proxy settings reaches it. It is ended, with its children, when the block ends.
"""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
READY_DEADLINE_S = 30.0
STOP_DEADLINE_S = 40.0
_POLL_S = 0.03
_DROPPED = ("TOKENPAK_", "VAULT_INDEX_PATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_", "XDG_")


@dataclass
class Running:
    """A started daemon. `environ` is what tokenpakctl needs to find it; `log` is its standard error and output."""

    port: int
    ws_port: int
    home: Path
    process: subprocess.Popen[bytes]
    environ: dict[str, str]
    log_file: Path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        return self.process.pid

    @property
    def url(self) -> str:
        """The base URL for clients."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """Everything that the daemon has written to its standard streams so far."""
        return self.log_file.read_text(errors="replace")

    def get(self, target: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """Return status and body of a GET."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", target, headers=dict(headers or {}))
            response = connection.getresponse()
            return response.status, response.read()

    def get_json(self, target: str) -> Any:
        """Return the parsed body of a GET that must answer 200."""
        status, body = self.get(target)
        if status != 200:
            raise AssertionError(f"GET {target} answered {status}: {body[:500]!r}")
        return json.loads(body)

    def control(self, *arguments: str, deadline_s: float = 20) -> subprocess.CompletedProcess[str]:
        """Run tokenpakctl against this daemon and return what it printed."""
        command = [sys.executable, "-c", "import sys; from tokenpakctl.cli import main; sys.exit(main())", *arguments]
        return subprocess.run(
            command, env=self.environ, cwd=ROOT, capture_output=True, text=True, timeout=deadline_s, check=False
        )

    def wait_ready(self, deadline_s: float = READY_DEADLINE_S) -> Self:
        """Return once /health answers 200; raise AssertionError with the log when the daemon dies or stays silent."""
        end_s = monotonic() + deadline_s
        while monotonic() < end_s:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.get("/health")[0] == 200:
                    return self
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self.process.wait(_POLL_S)
                raise AssertionError(f"the daemon left with {code}:\n{self.log[-4000:]}")
        raise AssertionError(f"no /health within {deadline_s} s:\n{self.log[-4000:]}")

    def stop(self, deadline_s: float = STOP_DEADLINE_S) -> int:
        """Send SIGTERM and return the exit code once the daemon is gone."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running {deadline_s} s after SIGTERM:\n{self.log[-4000:]}") from None

    def kill(self) -> None:
        """End the daemon and everything it started, however it feels about it; harmless when it is gone."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)  # first the polite way, so that its children leave with it
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(3)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # its own group: see start_new_session below
        self.process.wait()


def start_daemon(
    tmp_path: Path,
    providers: Mapping[str, str | Mapping[str, object]] | None = None,
    config_extra: Mapping[str, object] | None = None,
    env: Mapping[str, str] | None = None,
    *,
    flags: tuple[str, ...] = (),
    must_be_ready: bool = True,
) -> Running:
    """Start the daemon and return it once it serves.

    `providers` maps a provider's name to its endpoint or to its whole section; `config_extra` are further top-level
    keys of config.yaml; `env` is added to the environment, `flags` to the command. With `must_be_ready=False` it is
    returned at once, for tests of start-up and of refusals to start.
    """
    home = tmp_path / "tokenpak-home"
    home.mkdir(mode=0o700, exist_ok=True)
    port, ws_port = free_ports(2)
    sections = {
        name: {"endpoint": section} if isinstance(section, str) else dict(section)
        for name, section in (providers or {}).items()
    }
    config: dict[str, object] = {"listen": {"port": port, "ws_port": ws_port}, "providers": sections}
    extra = dict(config_extra or {})
    listen = extra.pop("listen", {})
    assert isinstance(listen, dict)
    config = config | extra | {"listen": {"port": port, "ws_port": ws_port, **listen}}
    (home / "config.yaml").write_text(json.dumps(config, indent=1))  # JSON is YAML
    environ = {key: value for key, value in os.environ.items() if not key.upper().startswith(_DROPPED)}
    environ |= {"TOKENPAK_HOME": str(home), "HOME": str(tmp_path), "NO_PROXY": "*", **(env or {})}
    log_file = tmp_path / "daemon.log"
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tokenpakd", "serve", "--foreground", *flags],
            cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    running = Running(port, ws_port, home, process, environ, log_file)
    if not must_be_ready:
        return running
    try:
        return running.wait_ready()
    except BaseException:
        running.kill()
        raise


def free_ports(count: int) -> list[int]:
    """Return ports that were free on both loopback families a moment ago."""
    with contextlib.ExitStack() as held:
        ports: list[int] = []
        while len(ports) < count:
            first = held.enter_context(socket.socket(socket.AF_INET))
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                held.enter_context(socket.socket(socket.AF_INET6)).bind(("::1", port))
            except OSError as error:
                if error.errno in {98, 48}:  # taken there; without IPv6 the other errors do not matter
                    continue
            ports.append(port)
        return ports
