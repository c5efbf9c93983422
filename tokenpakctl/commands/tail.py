"""The last exchanges, and new ones as they end."""

from __future__ import annotations

import json

from tokenpakctl.exchanges import checked_limit, exchange_line
from tokenpakctl.render import View
from tokenpakctl.session import OK, UNAVAILABLE, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--follow", "-f", action="store_true", help="go on printing exchanges as they end")
    parser.add_argument("--limit", "-n", type=int, default=10, metavar="N", help="how many that are over already (10)")


def run(options: argparse.Namespace, session: Session) -> int:
    if not options.follow:
        requests = session.call("recent", limit=checked_limit(options.limit)).get("requests")
        for request in reversed(requests if isinstance(requests, list) else []):
            _print(request, session)
        return OK
    for event in session.watch("tail", backlog=checked_limit(options.limit) if options.limit else 0):
        _print(event, session)
    session.complain("unavailable", "tokenpakd has left", "Run `tokenpakctl status`.")
    return UNAVAILABLE


def _print(exchange: dict[str, object], session: Session) -> None:
    if session.as_json:
        session.line(json.dumps(exchange, separators=(",", ":")))
    else:
        session.line(exchange_line(View(exchange)))
