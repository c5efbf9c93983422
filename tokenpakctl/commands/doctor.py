"""Find out what is wrong. Works without a daemon. Exit codes: 0 well, 1 warnings, 2 failures."""

from __future__ import annotations

import subprocess
import sys

import tokenpakd
from tokenpakctl import checks, port_probe, settings_file
from tokenpakctl.checks import Finding
from tokenpakctl.client import CallFailed, NoDaemon, lock_holder
from tokenpakctl.daemon_url import client_url
from tokenpakctl.render import FAIL, OK, WARN, View, check_line
from tokenpakctl.session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

_CHECK_CONFIG_TIMEOUT_S = 20
_EXIT_CODES = {OK: 0, WARN: 1, FAIL: 2}


def arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(options: argparse.Namespace, session: Session) -> int:
    findings, daemon_answers = _daemon(session)
    url, _ = client_url(session)
    port = int(url.rpartition(":")[2])
    own_urls = frozenset(f"http://{host}:{port}" for host in ("localhost", "127.0.0.1", "[::1]"))
    findings += _ports(port, is_running=daemon_answers)
    findings += checks.files(session.paths, is_running=daemon_answers)
    findings.append(_configuration(session, is_running=daemon_answers))
    findings.append(checks.disk(session.paths))
    findings += checks.environment(session.environ, own_urls)
    findings.append(
        checks.client_settings(settings_file.claude_code(session.environ), own_urls, is_running=daemon_answers)
    )
    findings += checks.installation()
    findings += checks.extras()
    worst = max((finding.level for finding in findings), key=lambda level: _EXIT_CODES.get(level, 1))
    lines = [check_line(one.level, one.name, one.message, one.fix, colour=session.colour) for one in findings]
    session.emit({"level": worst, "checks": [finding.fields() for finding in findings]}, "\n".join(lines))
    return _EXIT_CODES[worst]


def _daemon(session: Session) -> tuple[list[Finding], bool]:
    """Ask the daemon for its own findings; yield whether it answers at all."""
    try:
        result = View(session.call("doctor"))
    except NoDaemon as exc:
        pid = lock_holder(session.paths)
        if pid is not None:
            fix = f"tokenpakctl logs, then kill {pid}"
            return [Finding("daemon", FAIL, f"pid {pid} holds the lock but does not answer: {exc}", fix)], False
        return [Finding("daemon", WARN, str(exc), "tokenpak serve (or `tokenpakctl service install`)")], False
    except CallFailed as exc:
        return [Finding("daemon", WARN, str(exc), exc.hint)], True
    version = View(session.ask("version") or {}).text("version")
    findings = [Finding("daemon", OK, f"tokenpakd {version} answers on {session.paths.socket}")]
    if version != tokenpakd.__version__:
        message = f"tokenpakctl is {tokenpakd.__version__}, the running daemon {version}"
        findings = [Finding("daemon", WARN, message, "tokenpakctl stop, then start the daemon again")]
    for check in result.views("checks"):
        level = check.text("level")
        level = level if level in _EXIT_CODES else WARN
        findings.append(Finding(check.text("name"), level, check.text("message"), check.text("fix", "")))
    return findings, True


def _ports(port: int, *, is_running: bool) -> list[Finding]:
    """Ask both loopback families who answers there."""
    name = f"port {port}"
    answers = {host: port_probe.health(host, port) for host in ("127.0.0.1", "::1")}
    if not is_running:
        if all(answer == "refused" for answer in answers.values()):
            return [Finding(name, OK, "free")]
        ours = any(isinstance(answer, dict) for answer in answers.values())
        who = "another tokenpakd (another user's, or with another TOKENPAK_HOME)" if ours else "another program"
        return [Finding(name, FAIL, f"taken by {who}", f"ss -ltnp 'sport = :{port}' (or `lsof -i :{port}`) names it")]
    found = []
    for host, answer in answers.items():
        if isinstance(answer, dict):
            status = View(answer).text("status")
            level = OK if status == "ok" else WARN
            found.append(Finding(f"{name} on {host}", level, status, "tokenpakctl status"))
        else:
            fix = "Apps that resolve localhost to ::1 first are refused." if host == "::1" else "tokenpakctl logs"
            level = WARN if host == "::1" else FAIL
            found.append(Finding(f"{name} on {host}", level, f"GET /health: {answer}", fix))
    return found


def _configuration(session: Session, *, is_running: bool) -> Finding:
    """Have the daemon's own reader judge the file; a broken one is found before the next start.

    Keys that do nothing are named by a daemon that runs; without one they are named here.
    """
    name = "configuration"
    file = session.paths.config_file
    command = [sys.executable, "-P", "-m", "tokenpakd", "--check-config"]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            command,
            env=dict(session.environ),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_CHECK_CONFIG_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return Finding(name, WARN, f"tokenpakd --check-config did not run: {type(exc).__name__}", "tokenpakd --version")
    idle = next((line for line in done.stdout.splitlines() if line.startswith("no effect in this version: ")), "")
    if done.returncode == 0 and idle and not is_running:
        return Finding(
            name, WARN, f"good, but {idle}", "Nothing breaks; docs/reference/configuration.md has every key."
        )
    if done.returncode == 0:
        return Finding(name, OK, f"{file} is good" if file.exists() else f"defaults: there is no {file}")
    lines = (done.stderr + done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
    if lines[0].startswith("Traceback"):
        return Finding(name, FAIL, f"tokenpakd cannot start: {lines[-1]}", "pip install --force-reinstall tokenpak")
    return Finding(name, FAIL, lines[0], f"Edit {file}, then `tokenpakd --check-config`.")
