"""Versions of tokenpakctl and of the daemon."""

from __future__ import annotations

import platform

import tokenpakd
from tokenpakctl.client import PROTOCOL, NoDaemon
from tokenpakctl.render import View
from tokenpakctl.session import OK, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(options: argparse.Namespace, session: Session) -> int:
    try:
        daemon: dict[str, object] | None = session.call("version", 2.0)
    except NoDaemon:
        daemon = None
    own = {"version": tokenpakd.__version__, "protocol": PROTOCOL, "python": platform.python_version()}
    session.emit({"tokenpakctl": own, "tokenpakd": daemon}, report(View(own), None if daemon is None else View(daemon)))
    return OK


def report(own: View, daemon: View | None) -> str:
    """Yield one line each."""
    theirs = "not running" if daemon is None else _line(daemon) + f", pid {daemon.text('pid')}"
    return f"tokenpakctl {_line(own)}\ntokenpakd   {theirs}"


def _line(one: View) -> str:
    return f"{one.text('version')} (protocol {one.text('protocol')}, Python {one.text('python')})"
