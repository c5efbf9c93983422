"""Read the configuration again."""

from __future__ import annotations

from tokenpakctl.render import View
from tokenpakctl.session import OK, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

_WORKERS_TIMEOUT_S = 60.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(options: argparse.Namespace, session: Session) -> int:
    result = session.call("reload", _WORKERS_TIMEOUT_S)
    session.emit(result, report(View(result)))
    return OK


def report(result: View) -> str:
    """Say which keys took effect and how."""
    lines = [f"configuration {result.text('generation')} serves"]
    for field, words in (
        ("applied", "took effect"),
        ("restarted", "took effect with new workers"),
        ("needs_daemon_restart", "waits for a new daemon (`tokenpakctl stop`, then start it)"),
    ):
        if keys := result.texts(field):
            lines.append(f"  {words}: {', '.join(keys)}")
    return "\n".join(lines if len(lines) > 1 else [lines[0] + ", nothing changed"])
