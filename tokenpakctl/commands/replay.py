"""Run a transcript offline through the engine. tokenpakd does the work: this process becomes it."""

from __future__ import annotations

import os
import sys

from tokenpakctl.session import FAILED, Failed, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

_MODES = ("strict", "hybrid", "aggressive")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        help="a conversation (an object with `messages`, a list of `traj`, a Claude Code session)"
        " or request bodies (JSON list or lines)",
    )
    parser.add_argument("--mode", choices=_MODES, default="hybrid", help="how much is removed (hybrid)")
    parser.add_argument("--model", metavar="NAME", help="whose prices and cache rules (the transcript's own model)")


def run(options: argparse.Namespace, session: Session) -> int:
    command = tool_command(options, as_json=session.as_json)
    sys.stdout.flush()
    try:
        os.execve(command[0], command, dict(session.environ))  # noqa: S606 - no shell is the point
    except OSError as exc:
        message = f"{command[0]} cannot be run: {exc.strerror}"
        raise Failed(message, "Run `tokenpakctl doctor`.", exit_code=FAILED) from exc


def tool_command(options: argparse.Namespace, *, as_json: bool) -> list[str]:
    """Yield the command that does the work. -P: nothing of the folder the user stands in is imported."""
    command = [sys.executable, "-P", "-m", "tokenpakd", "tool", "replay", "--mode", options.mode]
    command += ["--model", options.model] if options.model is not None else []
    return [*command, *(["--json"] if as_json else []), "--", options.file]
