"""Door: the daemon's Unix socket, seen from tokenpakctl.

The request goes out with the connection, before the daemon's hello is read: one round trip, not two. The standard
library's JSON is used because it starts three times faster than msgspec, and a command reads one line.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import time

import tokenpakd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenpakd.paths import Paths

PROTOCOL = 1
"""The protocol this client speaks; equal to `tokenpakd.ipc.control_api.PROTOCOL`, which costs an import of msgspec."""

START_WAIT_S = 2.0
_LINE_MAX_BYTES = 64 * 1024 * 1024


class NoDaemon(Exception):
    """Nobody answers on the socket. `hint` is the next command."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class CallFailed(Exception):
    """The daemon answered with an error, or with something that cannot be understood."""

    def __init__(self, code: int | str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint


class Connection:
    """One connection to the daemon, for one call."""

    def __init__(self, paths: Paths, *, timeout_s: float) -> None:
        self._paths = paths
        self._timeout_s = timeout_s
        self._buffer = bytearray()
        self._socket: socket.socket | None = None
        self.daemon_version: str | None = None

    def call(self, method: str, params: dict[str, object]) -> dict[str, object]:
        """Yield the result of one verb.

        Raises:
          NoDaemon: nobody answers. CallFailed: the daemon refuses, or speaks another protocol.
        """
        self._send(method, params)
        try:
            while True:
                message = self._receive(method)
                if "id" in message:
                    return _result(message)
        finally:
            self.close()

    def watch(self, method: str, params: dict[str, object]) -> Iterator[dict[str, object]]:
        """Yield what a watching verb sends, until the daemon leaves.

        Raises:
          NoDaemon, CallFailed: as for `call`.
        """
        self._send(method, params)
        assert self._socket is not None
        try:
            while True:
                try:
                    message = self._receive(method)
                except NoDaemon:
                    if self.daemon_version is None:
                        raise
                    return
                # The first line came in time; from now on silence only means that nothing happens.
                self._socket.settimeout(None)
                if "id" in message:
                    _result(message)  # the empty result that opens the watch, or the error that ends it
                    continue
                event = message.get("params")
                if message.get("method") == method and isinstance(event, dict):
                    yield event
        finally:
            self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, method: str, params: dict[str, object]) -> None:
        self._socket = connect(self._paths, timeout_s=self._timeout_s)
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
        except OSError:
            # A daemon that says no before it listens closes early; what it said is read below.
            pass

    def _receive(self, method: str) -> dict[str, object]:
        """Yield the next message that is not the hello; the hello's version is kept."""
        while True:
            message = self._message()
            if message.get("method") != "hello":
                return message
            hello = message.get("params")
            hello = hello if isinstance(hello, dict) else {}
            self.daemon_version = str(hello.get("version", "unknown"))
            if hello.get("protocol") != PROTOCOL:
                self.close()
                raise CallFailed(
                    "protocol",
                    f"tokenpakd {self.daemon_version} speaks control protocol {hello.get('protocol')}, "
                    f"tokenpakctl {tokenpakd.__version__} speaks {PROTOCOL}: `{method}` was not done",
                    "Install the same version of both, then restart the daemon: `tokenpakctl version`.",
                )

    def _message(self) -> dict[str, object]:
        line = self._line()
        try:
            message: object = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            raise CallFailed(
                "protocol", f"{self._paths.socket} does not answer in JSON-RPC", "Run `tokenpakctl doctor`."
            )
        return message

    def _line(self) -> bytes:
        assert self._socket is not None
        while (end := self._buffer.find(b"\n")) < 0:
            try:
                chunk = self._socket.recv(65536)
            except TimeoutError:
                hint = "It may be starting or stuck: run `tokenpakctl doctor`."
                raise NoDaemon(f"tokenpakd did not answer within {self._timeout_s:g} s", hint) from None
            except OSError as exc:
                raise NoDaemon(f"tokenpakd hung up: {exc.strerror}", "Run `tokenpakctl status`.") from None
            if not chunk:
                raise NoDaemon(
                    "tokenpakd hung up before it answered", "Run `tokenpakctl status`, then `tokenpakctl logs`."
                )
            self._buffer += chunk
            if len(self._buffer) > _LINE_MAX_BYTES:
                raise CallFailed("protocol", "the answer is longer than 64 MiB", "Ask for less: `--limit`.")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line


def connect(paths: Paths, *, timeout_s: float) -> socket.socket:
    """Yield a connected socket; while a daemon is only just starting, wait for it a little.

    Raises:
      NoDaemon: nothing listens, or this user may not ask.
    """
    deadline = time.monotonic() + START_WAIT_S
    while True:
        attempt = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        attempt.settimeout(timeout_s)
        try:
            attempt.connect(str(paths.socket))
            return attempt
        except OSError as exc:
            attempt.close()
            if exc.errno in (errno.EACCES, errno.EPERM):
                hint = "The daemon answers its own user only: run this as that user."
                raise NoDaemon(f"{paths.socket} belongs to another user", hint) from None
            if exc.errno not in (errno.ENOENT, errno.ECONNREFUSED, errno.ENOTDIR, errno.EAGAIN):
                raise NoDaemon(f"{paths.socket}: {exc.strerror or exc}", "Run `tokenpakctl doctor`.") from None
        pid = lock_holder(paths)
        if pid is None:
            hint = "Start it with `tokenpak serve`, or as a service with `tokenpakctl service install`."
            raise NoDaemon(f"no daemon answers on {paths.socket}", hint)
        if time.monotonic() >= deadline:
            hint = "Run `tokenpakctl doctor`, then `tokenpakctl logs`."
            raise NoDaemon(f"tokenpakd (pid {pid}) holds the lock but does not answer on {paths.socket}", hint)
        time.sleep(0.02)


def lock_holder(paths: Paths) -> int | None:
    """Yield the pid that the lock file names, if that process lives; the lock itself is never touched.

    Trying the lock would be surer, but a daemon starting in that instant would believe another one runs.
    """
    try:
        with open(paths.lock, "rb") as file:
            pid = int(file.read(32).split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return pid if is_alive(pid) else None


def is_alive(pid: int) -> bool:
    """Yield whether the process runs; one that has ended and was not waited for does not."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    if not sys.platform.startswith("linux"):
        return True
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2][:1] not in (b"Z", b"X")
    except OSError:
        return False


def _result(message: dict[str, object]) -> dict[str, object]:
    error = message.get("error")
    if isinstance(error, dict):
        data = error.get("data")
        hint = data.get("hint", "") if isinstance(data, dict) else ""
        code = error.get("code", "error")
        raise CallFailed(code if isinstance(code, int) else str(code), str(error.get("message", "")), str(hint))
    result = message.get("result")
    if not isinstance(result, dict):
        raise CallFailed("protocol", "the answer holds no result", "Run `tokenpakctl version`.")
    return result
