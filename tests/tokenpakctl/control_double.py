"""A control socket that answers from a table, on a real Unix socket in a thread of its own."""

import contextlib
import json
import os
import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from tokenpakctl import cli

Json = dict[str, Any]


class Ran:
    """What one command line said and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def json(self) -> Json:
        lines = self.out.splitlines()
        assert len(lines) == 1, self.out
        found: Json = json.loads(lines[0])
        return found


class ControlDouble:
    """Answers one request per connection. `answers` maps a method to a result, or to an `{"error": …}`."""

    def __init__(self, path: Path, answers: Mapping[str, Json], hello: Json | None = None) -> None:
        self.path = path
        self.answers = dict(answers)
        self.events: dict[str, list[Json]] = {}
        self.requests: list[Json] = []
        self.hello = hello or {"version": "0.1.0", "protocol": 1}
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(8)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        self.path.unlink(missing_ok=True)

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with peer, contextlib.suppress(OSError):
                self._answer(peer)

    def _answer(self, peer: socket.socket) -> None:
        _send(peer, {"jsonrpc": "2.0", "method": "hello", "params": self.hello})
        with peer.makefile("rb") as lines:
            line = lines.readline()
            if not line:
                return
            request = json.loads(line)
            self.requests.append(request)
            method = request["method"]
            answer = self.answers.get(method, {"error": {"code": -32601, "message": f"unknown method {method}"}})
            reply = answer if set(answer) == {"error"} else {"result": answer}
            _send(peer, {"jsonrpc": "2.0", "id": request["id"], **reply})
            for event in self.events.get(method, []):
                _send(peer, {"jsonrpc": "2.0", "method": method, "params": event})


def _send(peer: socket.socket, message: Json) -> None:
    peer.sendall(json.dumps(message).encode() + b"\n")


@contextlib.contextmanager
def home() -> Iterator[dict[str, str]]:
    """Lend an environment of its own, short enough for a socket's path."""
    with tempfile.TemporaryDirectory(prefix="tpk") as folder:
        os.makedirs(f"{folder}/tp/run", 0o700)
        os.chmod(f"{folder}/tp", 0o700)
        yield {"HOME": folder, "TOKENPAK_HOME": f"{folder}/tp", "PATH": os.environ.get("PATH", "")}


def socket_of(environ: Mapping[str, str]) -> Path:
    return Path(environ["TOKENPAK_HOME"]) / "run" / "control.sock"


def run(environ: Mapping[str, str], *argv: str) -> Ran:
    """Run one command line in this process."""
    out, err = StringIO(), StringIO()
    code = cli.run(list(argv), environ, out=out, err=err)
    return Ran(code, out.getvalue(), err.getvalue())
