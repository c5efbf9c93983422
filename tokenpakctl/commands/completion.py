"""Print a completion script, generated from the parsers themselves."""

from __future__ import annotations

from tokenpakctl.session import OK, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

_SHELLS = ("bash", "zsh", "fish")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=_SHELLS, help="which shell")


def run(options: argparse.Namespace, session: Session) -> int:
    from tokenpakctl import completions  # not above: completions reads every verb's parser

    script = getattr(completions, options.shell)()
    session.emit({"shell": options.shell, "script": script}, script.rstrip("\n"))
    return OK
