"""Replace the workers without a gap."""

from __future__ import annotations

from tokenpakctl.render import View
from tokenpakctl.session import OK, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

_WORKERS_TIMEOUT_S = 60.0
_SERVING = ("ready", "safe_mode")


def arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(options: argparse.Namespace, session: Session) -> int:
    result = session.call("restart", _WORKERS_TIMEOUT_S)
    workers = [worker for worker in View(result).views("workers") if worker.text("state") in _SERVING]
    named = ", ".join(f"{worker.text('name')} (pid {worker.text('pid')})" for worker in workers)
    session.emit(result, f"now serving: {named}" if named else "new workers serve")
    return OK
