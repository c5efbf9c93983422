"""Show or change how much is removed from requests."""

from __future__ import annotations

from tokenpakctl.render import View
from tokenpakctl.session import OK, USAGE, Failed, Session
from tokenpakd.tip.modes import Mode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("mode", nargs="?", choices=[mode.value for mode in Mode], help="the new mode")
    parser.add_argument(
        "--now",
        action="store_true",
        help="re-pin running conversations too: rewrites each one's prefix once, so its provider cache is paid anew",
    )


def run(options: argparse.Namespace, session: Session) -> int:
    if options.mode is None:
        if options.now:
            raise Failed("--now needs a mode", "Run `tokenpakctl mode hybrid --now`.", code="usage", exit_code=USAGE)
        result = session.call("mode")
    else:
        result = session.call("mode", mode=options.mode, now=options.now)
    session.emit(result, report(View(result)))
    return OK


def report(result: View) -> str:
    """Say the mode, and whom a change reaches."""
    if not result.flag("changed"):
        return f"{result.text('mode')} (from {result.text('source')})"
    reach = (
        "every conversation\n  re-pinned: the prefix of each running one is rewritten once, with its next request,"
        " so the provider writes its cache anew"
        if result.flag("now")
        else "new conversations; running ones keep theirs, and with it their provider cache (--now re-pins them)"
    )
    return f"{result.text('mode')} for {reach}"
