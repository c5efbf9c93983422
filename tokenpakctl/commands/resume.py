"""End a pause."""

from __future__ import annotations

from tokenpakctl.session import OK, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(options: argparse.Namespace, session: Session) -> int:
    session.emit(session.call("resume"), "resumed: requests are worked on again")
    return OK
