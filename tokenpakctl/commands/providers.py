"""Which providers are called, where and with whose key."""

from __future__ import annotations

from tokenpakctl.render import View, table
from tokenpakctl.session import OK, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(options: argparse.Namespace, session: Session) -> int:
    result = session.call("providers")
    columns = ("name", "dialect", "endpoint", "source", "credential")
    rows = [[one.text(column) for column in columns] for one in View(result).views("providers")]
    session.emit(result, table(columns, rows))
    return OK
