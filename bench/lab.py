"""What a run needs: the native programs, the mock provider, the daemon, and meters on its processes."""

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

HERE = Path(__file__).parent
READY_S = 20.0


class NotReady(Exception):
    """A process of the lab did not begin to serve in time."""


def compile_native() -> dict[str, Path]:
    """Compile the mock provider and the SSE client where the source is newer; yield their paths.

    Raises:
      NotReady: no C compiler; nothing in Python is fast enough to stand in for them.
    """
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    programs = {name: HERE / "bin" / name for name in ("mock_upstream", "load_sse")}
    for name, program in programs.items():
        source = HERE / "native" / f"{name}.c"
        if program.exists() and program.stat().st_mtime > source.stat().st_mtime:
            continue
        if compiler is None:
            raise NotReady("the mock provider needs a C compiler: install gcc or clang")
        program.parent.mkdir(exist_ok=True)
        subprocess.run([compiler, "-O2", "-w", "-o", str(program), str(source)], check=True)
    return programs


def free_port() -> int:
    """Yield a loopback port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def ask(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Send one request on a connection of its own; yield status and body.

    Raises:
      OSError, http.client.HTTPException: nobody answered.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, {"content-type": "application/json"})
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def wait_until_serving(process: subprocess.Popen[bytes], port: int, body: bytes) -> None:
    """Poll with a model request until one is answered with 200."""
    deadline_s = time.monotonic() + READY_S
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            raise NotReady(f"the process ended with {process.returncode}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            if ask(port, "POST", "/v1/messages", body)[0] == 200:
                return
        time.sleep(0.002)
    raise NotReady(f"no 200 within {READY_S} s")


@contextlib.contextmanager
def mock_provider(program: Path) -> Iterator[int]:
    """Run the mock; yield its port."""
    port = free_port()
    process = subprocess.Popen([str(program), str(port)])
    try:
        wait_until_serving(process, port, b"{}")
        yield port
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Daemon:
    """A running daemon: its port, its home, its process tree and how long it took to serve."""

    port: int
    home: Path
    process: psutil.Process
    launch_s: float

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cpu_s(self) -> float:
        """User and system time of the whole tree so far."""
        total = 0.0
        for process in (self.process, *self.process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
        return total

    def data_plane(self) -> psutil.Process:
        """The worker that carries the traffic, as /health names it."""
        workers = json.loads(ask(self.port, "GET", "/health")[1])["workers"]
        return psutil.Process(next(worker["pid"] for worker in workers if worker["name"].startswith("data-plane")))

    def rss_mb(self) -> float:
        return float(self.data_plane().memory_info().rss) / 2**20


def environment(home: Path, port: int) -> dict[str, str]:
    """The environment of a daemon of this run; nothing of the caller's own daemon leaks in."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TOKENPAK_", "VAULT_"))}
    return clean | {"TOKENPAK_HOME": str(home), "TOKENPAK_PORT": str(port), "TOKENPAK_LOG_LEVEL": "info"}


@contextlib.contextmanager
def daemon(home: Path, mock_port: int, body: bytes) -> Iterator[Daemon]:
    """Run a daemon whose Anthropic is the mock; yields once a model request was answered with 200."""
    home.mkdir(parents=True)
    home.chmod(0o700)
    config = home / "config.yaml"
    config.write_text(f'providers: {{anthropic: {{endpoint: "http://127.0.0.1:{mock_port}"}}}}\n')
    port = free_port()
    env = environment(home, port) | {"TOKENPAK_WS_PORT": str(free_port())}
    log = (home / "daemon.log").open("wb")
    begin = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "tokenpakd", "serve", "--foreground", "--config", str(config)],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )
    try:
        try:
            wait_until_serving(process, port, body)
        except NotReady as exc:
            raise NotReady(f"{exc}: {(home / 'daemon.log').read_text()[-2000:]}") from exc
        yield Daemon(port, home, psutil.Process(process.pid), time.monotonic() - begin)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def whole_process_ms(command: list[str], env: dict[str, str]) -> float:
    """Run a command to its end; yield its wall time.

    Raises:
      subprocess.CalledProcessError: it failed, so its time says nothing.
    """
    begin = time.perf_counter()
    subprocess.run(command, env=env, capture_output=True, check=True)
    return (time.perf_counter() - begin) * 1e3


def ctl_command() -> list[str]:
    """The installed tokenpakctl beside this interpreter, else the module."""
    script = Path(sys.executable).parent / "tokenpakctl"
    return [str(script)] if script.exists() else [sys.executable, "-m", "tokenpakctl.cli"]
