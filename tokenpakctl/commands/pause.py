"""Pass requests through untouched for a while."""

from __future__ import annotations

import time

from tokenpakctl.render import View, pause_words
from tokenpakctl.session import OK, USAGE, Failed, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("minutes", nargs="?", help="how long; without it until `tokenpakctl resume`")


def run(options: argparse.Namespace, session: Session) -> int:
    result = (
        session.call("pause") if options.minutes is None else session.call("pause", minutes=_minutes(options.minutes))
    )
    session.emit(result, pause_words(View(result).number("until_unix_ms"), time.time() * 1000))
    return OK


def _minutes(text: str) -> float:
    try:
        minutes = float(text.removesuffix("m"))
    except ValueError:
        minutes = 0.0
    if not 0 < minutes <= 525_600:
        message = f"{text!r} is not a number of minutes between 0 and 525600"
        raise Failed(message, "Run `tokenpakctl pause 10`.", code="usage", exit_code=USAGE)
    return minutes
