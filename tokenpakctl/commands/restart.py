"""Replace the workers without a gap."""

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
    result = session.call("restart", _WORKERS_TIMEOUT_S)
    workers = View(result).views("workers")
    named = ", ".join(f"{worker.text('name')} (pid {worker.text('pid')})" for worker in workers)
    session.emit(result, f"new workers serve: {named}" if named else "new workers serve")
    return OK
