"""The two processes of the demo, the provider and the daemon: started, found ready, ended."""

import contextlib
import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

READY_DEADLINE_S = 30.0
_POLL_S = 0.05
_DRAIN_S = 5.0
_PORT, _WS_PORT = 8766, 8767


class StartError(Exception):
    """A child did not come up; the text says which and what it said."""


def start_provider() -> tuple["subprocess.Popen[bytes]", int]:
    """Start the demo provider and return it with its port once it listens.

    Its standard input is its lifeline: it leaves when we close ours, or die.
    """
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "tokenpakd.demo.provider", "--port", "0"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], READY_DEADLINE_S)
    line = process.stdout.readline() if ready else b""
    if not line:
        end(process)
        raise StartError("the demo provider did not start")
    return process, int(json.loads(line)["port"])


def start_daemon(
    home: Path, provider_port: int, port: int, ws_port: int
) -> tuple["subprocess.Popen[bytes]", dict[str, str]]:
    """Start a daemon at home in `home` and return it, with the environment tokenpakctl needs, once /health answers 200.

    Raises:
      StartError: it left or stayed silent; the end of its log is in the text.
    """
    endpoint = f"http://127.0.0.1:{provider_port}"
    demo = {"dialect": "anthropic_messages", "endpoint": endpoint, "models": ["demo-*"]}
    config = {"listen": {"port": port, "ws_port": ws_port}, "providers": {"demo": demo}}
    (home / "config.yaml").write_text(json.dumps(config, indent=2) + "\n")  # JSON is YAML
    environ = {key: value for key, value in os.environ.items() if not key.startswith("TOKENPAK_")}
    environ["TOKENPAK_HOME"] = str(home)
    log_file = home / "demo-daemon.log"
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tokenpakd", "serve", "--foreground"],
            env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        _wait_ready(process, port)
    except StartError as error:
        end(process)
        raise StartError(f"{error}\n{log_file.read_text(errors='replace')[-3000:]}") from None
    except BaseException:
        end(process)
        raise
    return process, environ


def _wait_ready(process: "subprocess.Popen[bytes]", port: int) -> None:
    end_s = time.monotonic() + READY_DEADLINE_S
    while time.monotonic() < end_s:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if get(port, "/health")[0] == 200:
                return
        with contextlib.suppress(subprocess.TimeoutExpired):
            raise StartError(f"the daemon left with exit code {process.wait(_POLL_S)}:")
    raise StartError(f"the daemon did not answer on port {port} within {READY_DEADLINE_S:.0f} s:")


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a child: close its lifeline, ask it, ask again, and then insist. Yields once it is gone."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    for _ in range(2):  # the daemon's second SIGTERM shortens its drain
        if process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.send_signal(signal.SIGTERM)
                process.wait(_DRAIN_S)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def get(port: int, target: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """Return status and body of a GET on loopback."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", target, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.read()


def get_json(port: int, target: str, headers: dict[str, str] | None = None) -> Any:
    """Return the parsed body of a GET that must answer 200."""
    status, body = get(port, target, headers)
    if status != 200:
        raise StartError(f"GET {target} on port {port} answered {status}")
    return msgspec.json.decode(body)


def pick_ports() -> tuple[int, int]:
    """Return the daemon's usual ports, or two free ones where either is taken."""
    if _is_free(_PORT) and _is_free(_WS_PORT):
        return _PORT, _WS_PORT
    found: list[int] = []
    while len(found) < 2:
        with socket.socket(socket.AF_INET) as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if _is_free(port) and port not in found:
            found.append(port)
    return found[0], found[1]


def _is_free(port: int) -> bool:
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the daemon does
                probe.bind((address, port))
        except OSError:
            if family == socket.AF_INET or socket.has_dualstack_ipv6():
                return False
    return True
