"""Install, remove or look at the user service: systemd on Linux, launchd on macOS.

Works without a user manager (containers, ssh without a session): the files are written, and the commands that are
left to run are printed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tokenpakctl import settings_file, unit_templates
from tokenpakctl.config_file import value
from tokenpakctl.daemon_url import find_ports
from tokenpakctl.render import plain
from tokenpakctl.session import FAILED, OK, Failed, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

_COMMAND_TIMEOUT_S = 60


class Plan:
    """What one kind of service needs: its files, and the commands around writing or removing them."""

    __slots__ = ("after_install", "after_uninstall", "before_uninstall", "files", "folders", "status")

    def __init__(
        self,
        files: dict[str, str],
        folders: list[str],
        after_install: list[list[str]],
        before_uninstall: list[list[str]],
        after_uninstall: list[list[str]],
        status: list[str],
    ) -> None:
        self.files = files
        self.folders = folders
        self.after_install = after_install
        self.before_uninstall = before_uninstall
        self.after_uninstall = after_uninstall
        self.status = status


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("install", "uninstall", "status"), help="what to do")
    parser.add_argument("--dry-run", action="store_true", help="show what would be written and run, and do nothing")


def run(options: argparse.Namespace, session: Session) -> int:
    try:
        plan = _launchd(session) if sys.platform == "darwin" else _systemd(session)
    except unit_templates.NoTemplate as exc:
        raise Failed(str(exc), "Install tokenpak again: `pip install --force-reinstall tokenpak`.") from exc
    try:
        if options.action == "install":
            return _install(plan, session, dry_run=options.dry_run)
        if options.action == "uninstall":
            return _uninstall(plan, session, dry_run=options.dry_run)
    except OSError as exc:
        raise Failed(f"{exc.filename} cannot be written: {exc.strerror}", "Run `tokenpakctl doctor`.") from exc
    return _status(plan, session)


def _systemd(session: Session) -> Plan:
    home = session.environ.get("HOME") or os.path.expanduser("~")
    config = session.environ.get("XDG_CONFIG_HOME", "")
    folder = os.path.join(config if os.path.isabs(config) else os.path.join(home, ".config"), "systemd", "user")
    ports = find_ports(session)
    folders = _written_to(session)
    values: dict[str, str | list[str]] = {
        "EXEC": unit_templates.daemon_executable(),
        "PORT": str(ports.http),
        "WS_PORT": str(ports.websocket),
        "WRITABLE": folders,
    }
    files = {
        os.path.join(folder, name): unit_templates.systemd_text(unit_templates.template("systemd", name), values)
        for name in unit_templates.SYSTEMD_UNITS
    }
    control = ["systemctl", "--user"]
    return Plan(
        files=files,
        folders=folders,
        after_install=[[*control, "daemon-reload"], [*control, "enable", "--now", *unit_templates.SYSTEMD_UNITS]],
        before_uninstall=[[*control, "disable", "--now", *unit_templates.SYSTEMD_UNITS]],
        after_uninstall=[[*control, "daemon-reload"]],
        status=[*control, "is-active", "tokenpakd.service"],
    )


def _launchd(session: Session) -> Plan:
    home = session.environ.get("HOME") or os.path.expanduser("~")
    name = f"{unit_templates.LAUNCHD_LABEL}.plist"
    path = os.path.join(home, "Library", "LaunchAgents", name)
    domain = f"gui/{os.getuid()}"
    values: dict[str, str | list[str]] = {
        "EXEC": unit_templates.daemon_executable(),
        "LOG": str(session.paths.log_dir / "tokenpakd.log"),
    }
    return Plan(
        files={path: unit_templates.launchd_text(unit_templates.template("launchd", name), values)},
        folders=_written_to(session),
        after_install=[["launchctl", "bootstrap", domain, path]],
        before_uninstall=[unit_templates.stop_command("launchd")],
        after_uninstall=[],
        status=["launchctl", "print", f"{domain}/{unit_templates.LAUNCHD_LABEL}"],
    )


def _written_to(session: Session) -> list[str]:
    """Yield the folders the daemon writes to. They must be there before it starts: systemd mounts the rest read-only,
    launchd opens the log itself.
    """
    paths = session.paths
    found = [str(paths.state_dir), str(paths.log_dir)]
    database, vault = value(paths.config_file, "database"), value(paths.config_file, "vault", "path")
    config_folder = str(paths.config_file.parent)
    databases = [str(paths.database)] + ([os.path.join(config_folder, database)] if isinstance(database, str) else [])
    found += [os.path.dirname(one) for one in databases]
    found += [os.path.join(config_folder, vault)] if isinstance(vault, str) else []
    elsewhere = [folder for folder in found[1:] if os.path.commonpath([folder, found[0]]) != found[0]]
    return list(dict.fromkeys([found[0], *elsewhere]))


def _unseen(session: Session) -> str:
    """Name the variables that this shell has and the service will not have."""
    names = sorted(name for name in session.environ if name.startswith("TOKENPAK_") and session.environ[name])
    if not names:
        return ""
    where = "`launchctl setenv`" if sys.platform == "darwin" else "`systemctl --user edit tokenpakd`"
    return (
        f"\nThe service does not see {', '.join(names)} of this shell: set them with {where}, or in the configuration."
    )


def _install(plan: Plan, session: Session, *, dry_run: bool) -> int:
    for folder in () if dry_run else plan.folders:
        settings_file.make_folder(folder)
    changed = [path for path, text in plan.files.items() if settings_file.read(path) != text.encode()]
    for path in changed:
        if not session.as_json:
            session.line(f"# {path}\n{plan.files[path].rstrip()}\n")
        if not dry_run:
            settings_file.write(path, plan.files[path].encode(), expected=settings_file.read(path), mode=0o644)
    left = plan.after_install if dry_run else _run_all(plan.after_install)
    done = not dry_run and not left
    result: dict[str, object] = {
        "action": "install",
        "files": list(plan.files),
        "written": [] if dry_run else changed,
        "left_to_run": [" ".join(command) for command in left],
    }
    words = "the files were in place already" if not changed else f"{len(changed)} file(s) written"
    if dry_run:
        words = "nothing was written"
    running = "; the service is enabled and runs" if done else ""
    session.emit(result, words + running + _left(left) + _unseen(session))
    return OK


def _uninstall(plan: Plan, session: Session, *, dry_run: bool) -> int:
    present = [path for path in plan.files if os.path.lexists(path)]
    if not present:
        nothing: dict[str, object] = {"action": "uninstall", "removed": [], "left_to_run": []}
        session.emit(nothing, "the service is not installed")
        return OK
    left = plan.before_uninstall if dry_run else _run_all(plan.before_uninstall)
    if not dry_run:
        for path in present:
            os.unlink(path)
        left += _run_all(plan.after_uninstall)
    result: dict[str, object] = {
        "action": "uninstall",
        "removed": [] if dry_run else present,
        "left_to_run": [" ".join(command) for command in left],
    }
    words = "would remove" if dry_run else "removed"
    session.emit(result, f"{words} {', '.join(present)}" + _left(left))
    return OK


def _status(plan: Plan, session: Session) -> int:
    current = {path: settings_file.read(path) for path in plan.files}
    installed = all(content is not None for content in current.values())
    as_shipped = all(current[path] == text.encode() for path, text in plan.files.items())
    state = "unknown: there is no user manager" if installed else "not installed"
    if installed and _has_manager():
        done = _run(plan.status)
        state = done.stdout.strip().splitlines()[0] if plan.status[0] == "systemctl" and done.stdout.strip() else ""
        state = state or ("active" if done.returncode == 0 else "inactive")
    result: dict[str, object] = {
        "installed": installed,
        "as_shipped": as_shipped,
        "state": state,
        "files": list(current),
    }
    lines = [
        f"service: {plain(state)}",
        *(f"  {path}{'' if current[path] is not None else ' (missing)'}" for path in current),
    ]
    if installed and not as_shipped:
        lines.append("  The files differ from those of this version: run `tokenpakctl service install`.")
    session.emit(result, "\n".join(lines))
    return OK if installed else FAILED


def _run_all(commands: list[list[str]]) -> list[list[str]]:
    """Run commands in order and yield those that could not be run or failed, with everything after them."""
    if not _has_manager():
        return list(commands)
    for index, command in enumerate(commands):
        try:
            done = _run(command)
        except (OSError, subprocess.TimeoutExpired):
            return list(commands[index:])
        if done.returncode != 0:
            return list(commands[index:])
    return []


def _has_manager() -> bool:
    """Yield whether a user service manager can be asked."""
    if sys.platform == "darwin":
        return shutil.which("launchctl") is not None
    if shutil.which("systemctl") is None:
        return False
    try:
        done = _run(["systemctl", "--user", "show-environment"])
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - fixed words and our own paths; systemctl and launchctl come from PATH
        command, capture_output=True, text=True, errors="replace", timeout=_COMMAND_TIMEOUT_S, check=False
    )


def _left(commands: list[list[str]]) -> str:
    if not commands:
        return ""
    return "\nRun:\n" + "\n".join("  " + " ".join(command) for command in commands)
