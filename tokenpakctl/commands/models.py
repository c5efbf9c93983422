"""Models that passed through here, and names that are known."""

from __future__ import annotations

from tokenpakctl.render import View, count, short, table
from tokenpakctl.session import OK, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(options: argparse.Namespace, session: Session) -> int:
    result = session.call("models")
    session.emit(result, report(View(result)))
    return OK


def report(models: View) -> str:
    """Yield both lists, and say what they are not."""
    seen = [
        [
            one.text("model"),
            count(one.number("requests")),
            short(one.view("figures").number("input_tokens")),
            short(one.view("figures").number("output_tokens")),
        ]
        for one in models.views("seen")
    ]
    patterns = [[one.text("pattern"), one.text("provider")] for one in models.views("patterns")]
    passed = (
        table(("model", "requests", "in", "out"), seen, right=(1, 2, 3)) if seen else "no model has passed through yet"
    )
    return "\n".join(
        [
            passed,
            "",
            table(("name", "provider"), patterns),
            "",
            "No provider was asked: this is not a list of what they offer.",
        ]
    )
