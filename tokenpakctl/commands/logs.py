"""The end of the daemon's log."""

from __future__ import annotations

import json
import os
import time

from tokenpakctl.render import View, plain
from tokenpakctl.session import FAILED, OK, UNAVAILABLE, Failed, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_TAIL_MAX_BYTES = 4 * 1024 * 1024
_JOURNAL = ("journalctl", "--user", "-u", "tokenpakd")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lines", "-n", type=int, default=50, metavar="N", help="how many lines (50)")
    parser.add_argument("--follow", "-f", action="store_true", help="go on printing lines as they are written")


def run(options: argparse.Namespace, session: Session) -> int:
    path = _path(session)
    if path is None:
        return _journal(max(0, options.lines), session, follow=options.follow)
    lines, position = last_lines(path, max(0, options.lines))
    if session.as_json and not options.follow:
        session.emit({"path": path, "lines": lines}, "")
        return OK
    for line in lines:
        _print(line, session)
    if options.follow:
        _follow(path, position, session)
    return OK


def last_lines(path: str, wanted: int) -> tuple[list[str], int]:
    """Yield the last lines of a file and where it ends; no more than its last 4 MiB are read.

    Raises:
      Failed: the file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            end = file.seek(0, os.SEEK_END)
            start = max(0, end - _TAIL_MAX_BYTES)
            file.seek(start)
            content = file.read(end - start)
    except OSError as exc:
        raise Failed(f"{path} cannot be read: {exc.strerror}", "Run `tokenpakctl doctor`.") from exc
    lines = content.decode("utf-8", "replace").split("\n")
    if start:
        del lines[0]
    if lines and not lines[-1]:
        lines.pop()
    return (lines[-wanted:] if wanted else []), end


def _path(session: Session) -> str | None:
    """Yield the log file; None when the log goes to the journal."""
    daemon = session.ask("logs")
    path = None if daemon is None else daemon.get("path")
    if isinstance(path, str) and path:
        return path
    # Nobody names a file: launchd, or a daemon that is gone, may have left one in its place.
    left = sorted(session.paths.log_dir.glob("*.log"), key=lambda one: one.stat().st_mtime)
    if left:
        return str(left[-1])
    if daemon is None:
        message = "no daemon answers, and there is no log file"
        raise Failed(message, f"Run `{_words(_JOURNAL)}`.", code="unavailable", exit_code=UNAVAILABLE)
    if View(daemon).flag("under_systemd"):
        return None
    message = "the log goes to the terminal that the daemon was started in"
    raise Failed(message, "Run it as a service: `tokenpakctl service install`.", code="no_log_file")


def _journal(lines: int, session: Session, *, follow: bool) -> int:
    """Pass on what journalctl prints, its complaints included.

    Raises:
      Failed: it is not installed.
    """
    import subprocess

    command = [*_JOURNAL, "-n", str(lines), *(["-f"] if follow else []), "-o", "cat"]
    try:
        process = subprocess.Popen(  # noqa: S603 - fixed words and a number; journalctl comes from PATH
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=dict(session.environ)
        )
    except OSError as exc:
        message = f"the log goes to the journal, and journalctl cannot be run: {exc.strerror}"
        raise Failed(message, f"Run `{_words(command)}`.", code="no_log_file") from exc
    assert process.stdout is not None
    shown = (line.decode("utf-8", "replace").rstrip("\n") for line in process.stdout)
    try:
        if session.as_json and not follow:
            session.emit({"path": None, "lines": list(shown)}, "")
        else:
            for line in shown:
                _print(line, session)
        return OK if process.wait() == 0 else FAILED
    finally:
        # Whoever leaves early, by Ctrl-C or a closed pipe, leaves no journalctl behind.
        if process.poll() is None:
            process.terminate()
            process.wait()
        process.stdout.close()


def _words(command: Sequence[str]) -> str:
    return " ".join(command)


def _follow(path: str, position: int, session: Session) -> None:
    """Print what is added, also after the file was replaced by a new one."""
    pending = b""
    while True:
        try:
            size = os.stat(path).st_size
            if size < position:
                position, pending = 0, b""
            if size > position:
                with open(path, "rb") as file:
                    file.seek(position)
                    content = file.read()
                position += len(content)
                *lines, pending = (pending + content).split(b"\n")
                for line in lines:
                    _print(line.decode("utf-8", "replace"), session)
        except FileNotFoundError:
            position, pending = 0, b""
        time.sleep(0.2)


def _print(line: str, session: Session) -> None:
    if not session.as_json:
        session.line(plain(line))
        return
    try:
        entry: object = json.loads(line)
    except ValueError:
        entry = None
    session.line(json.dumps(entry if isinstance(entry, dict) else {"line": line}, separators=(",", ":")))
