"""The last exchanges, newest first."""

from __future__ import annotations

from tokenpakctl.exchanges import checked_limit, exchange_line
from tokenpakctl.render import View
from tokenpakctl.session import OK, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", "-n", type=int, default=20, metavar="N", help="how many, up to 1000 (20)")


def run(options: argparse.Namespace, session: Session) -> int:
    result = session.call("recent", limit=checked_limit(options.limit))
    lines = [exchange_line(view) for view in View(result).views("requests")]
    session.emit(result, "\n".join(lines) if lines else "no exchanges yet: point an app at the daemon")
    return OK
