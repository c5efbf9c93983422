"""What `doctor` sees from outside the daemon: the environment, files and permissions, clients, the installation."""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import sys

from tokenpakctl import integration, settings_file
from tokenpakctl.json_patch import NotJson
from tokenpakctl.render import FAIL, OK, WARN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenpakd.paths import Paths

_REQUIRED = ("trio", "hypercorn", "httpx", "msgspec", "trio_websocket", "apsw", "psutil", "platformdirs", "yaml")
_METERING = {"brotli": "br", "zstandard": "zstd"}
_EXTRAS = {"tokens": ("bpe_openai", "counts of tokens are estimates")}
_DISK_WARN_BYTES, _DISK_FAIL_BYTES = 500 * 1024 * 1024, 50 * 1024 * 1024


class Finding:
    """One line of the report. `level`: ok, warn, fail; `fix` is a command or a sentence."""

    __slots__ = ("fix", "level", "message", "name")

    def __init__(self, name: str, level: str, message: str, fix: str = "") -> None:
        self.name = name
        self.level = level
        self.message = message
        self.fix = fix

    def fields(self) -> dict[str, object]:
        return {"name": self.name, "level": self.level, "message": self.message, "fix": self.fix}


def environment(environ: Mapping[str, str], own_urls: frozenset[str]) -> list[Finding]:
    """Look for variables that keep a client from reaching us, or reaching us as meant."""
    found = []
    if environ.get("ANTHROPIC_API_KEY") and environ.get("ANTHROPIC_AUTH_TOKEN"):
        message = "ANTHROPIC_API_KEY and ANTHROPIC_AUTH_TOKEN are both set: clients send one or both"
        found.append(Finding("credentials", WARN, message, "unset ANTHROPIC_AUTH_TOKEN (or the other one)"))
    base = environ.get("ANTHROPIC_BASE_URL", "").rstrip("/")
    if base and base not in own_urls:
        message = f"ANTHROPIC_BASE_URL points at {integration.masked(base)}, not at this daemon"
        found.append(Finding("ANTHROPIC_BASE_URL", WARN, message, "unset ANTHROPIC_BASE_URL"))
    proxy = next((name for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY") if environ.get(name)), None)
    exempt = (environ.get("no_proxy") or environ.get("NO_PROXY") or "").replace(" ", "").split(",")
    if proxy and "*" not in exempt and not {"localhost", "127.0.0.1"} <= set(exempt):
        message = (
            f"{proxy} is set and NO_PROXY does not name both localhost and 127.0.0.1: apps may ask the proxy for us"
        )
        found.append(Finding("proxy", WARN, message, "export NO_PROXY=localhost,127.0.0.1,::1"))
    return found or [Finding("environment", OK, "no variable stands in the way")]


def client_settings(path: str, own_urls: frozenset[str], *, is_running: bool) -> Finding:
    """Look where Claude Code is pointed."""
    name = "Claude Code"
    try:
        content = settings_file.read(path)
        url = None if content is None else integration.url_in(content)
    except (NotJson, settings_file.Unreadable) as exc:
        return Finding(name, WARN, f"{path} cannot be used: {exc}", f"python3 -m json.tool {path}")
    if url is None:
        return Finding(name, OK, "not pointed at the daemon (`tokenpakctl integrate claude-code` shows how)")
    shown = integration.masked(url)
    if url.rstrip("/") not in own_urls:
        return Finding(name, WARN, f"pointed at {shown}, not at this daemon", "tokenpakctl integrate claude-code")
    if not is_running:
        fix = "tokenpak serve (or `tokenpakctl integrate claude-code --revert`)"
        return Finding(name, FAIL, f"pointed at {shown}, where no daemon answers", fix)
    return Finding(name, OK, f"pointed at {shown}")


def files(paths: Paths, *, is_running: bool) -> list[Finding]:
    """Look at owner and mode of what must be ours alone, and at what a dead daemon left."""
    found = []
    for path, wanted in (
        (paths.state_dir, 0o700),
        (paths.socket.parent, 0o700),
        (paths.socket, 0o600),
        (paths.database, 0o600),
        (paths.salt, 0o600),
        (paths.token, 0o600),
    ):
        finding = _permissions(str(path), wanted)
        if finding is not None:
            found.append(finding)
    if not is_running and os.path.lexists(paths.socket):
        found.append(Finding("socket", OK, f"{paths.socket} is left over from a daemon that is gone; harmless"))
    if os.path.islink(paths.database):
        fix = "Set TOKENPAK_DB (or `database`) to the file itself."
        found.append(Finding("telemetry store", FAIL, f"{paths.database} is a symbolic link and is not opened", fix))
    elif not is_running and (finding := _header(str(paths.database))):
        found.append(finding)
    return found or [Finding("files", OK, f"owner and mode are right under {paths.state_dir}")]


def disk(paths: Paths) -> Finding:
    """Look at the room that is left for telemetry."""
    folder = str(paths.state_dir)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    free = shutil.disk_usage(folder).free
    level = FAIL if free < _DISK_FAIL_BYTES else WARN if free < _DISK_WARN_BYTES else OK
    fix = "" if level == OK else f"Make room on the disk of {folder}: without it exchanges are not recorded."
    return Finding("disk", level, f"{free / 1e9:.1f} GB free for {folder}", fix)


def installation() -> list[Finding]:
    """Look whether everything the daemon imports is there."""
    missing = [name for name in _REQUIRED if importlib.util.find_spec(name) is None]
    unmetered = [coding for name, coding in _METERING.items() if importlib.util.find_spec(name) is None]
    fix = "pip install --force-reinstall tokenpak"
    if missing:
        return [Finding("packages", FAIL, f"missing: {', '.join(missing)}", fix)]
    if unmetered:
        return [Finding("packages", WARN, f"answers in {', '.join(unmetered)} cannot be metered", fix)]
    return [Finding("packages", OK, f"complete, Python {sys.version.split()[0]}")]


def extras() -> list[Finding]:
    """Look which optional parts are there; to have none is well."""
    found = []
    for name, (module, without) in _EXTRAS.items():
        is_on = importlib.util.find_spec(module) is not None
        found.append(Finding(name, OK, "on" if is_on else f"off, {without} - install tokenpak[{name}]"))
    return found


def _permissions(path: str, wanted: int) -> Finding | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    if stat.S_ISLNK(status.st_mode):
        return None
    if status.st_uid != os.geteuid():
        return Finding("owner", FAIL, f"{path} belongs to uid {status.st_uid}", f"sudo chown {os.geteuid()} {path}")
    mode = stat.S_IMODE(status.st_mode)
    # As the daemon judges: a folder others can look into is harmless, one they can write to is not.
    if mode & (0o022 if stat.S_ISDIR(status.st_mode) else 0o077):
        return Finding("permissions", FAIL, f"{path} is open to others ({mode:04o})", f"chmod {wanted:o} {path}")
    return None


def _header(database: str) -> Finding | None:
    try:
        with open(database, "rb") as file:
            start = file.read(16)
    except FileNotFoundError:
        return None
    except OSError as exc:
        return Finding("telemetry store", FAIL, f"{database} cannot be read: {exc.strerror}", f"ls -l {database}")
    if start and start != b"SQLite format 3\0":
        fix = f"mv {database} {database}.bad   # the daemon makes a new one"
        return Finding("telemetry store", FAIL, f"{database} is not an SQLite file", fix)
    return None
