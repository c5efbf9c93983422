"""The reference page of the commands, written from the parsers.

`python -m tokenpakctl.reference [FOLDER]` writes it into the folder, docs/reference without one.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tokenpakctl import cli
from tokenpakctl.completions import actions, usage

_HEAD = """\
# Commands of tokenpakctl

<!-- Generated from tokenpakctl by `make reference`; a test compares it. Do not edit. -->

`tokenpakctl VERB …`, or `tokenpak VERB …`. Every verb takes `--json`: one JSON object, or one per line for streams.
Exit codes: 0 done, 1 failed, 2 usage, 69 no daemon answers; `doctor`: 0 well, 1 warnings, 2 failures.
An error ends with the command to run next; with `--json` it is `{"error": {"code", "message", "hint"}}`.
"""


def pages() -> dict[str, str]:
    """Yield the pages by file name."""
    return {"commands.md": _HEAD + "".join(_section(verb) for verb in cli.SUMMARIES)}


def main(arguments: list[str]) -> None:
    """Write the page into the folder named, else into docs/reference."""
    folder = Path(arguments[0] if arguments else "docs/reference")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
        print(folder / name)


def _section(verb: str) -> str:
    where = "Works without a daemon." if verb in (*cli.LOCAL, "doctor", "version") else f"Socket method: `{verb}`."
    lines = ["", f"## {verb}", "", cli.SUMMARIES[verb], "", f"    {usage(verb)}", "", where]
    rows = [row for action in actions(verb) for row in _rows(action)]
    if rows:
        lines += ["", "| argument | meaning |", "|---|---|", *rows]
    return "\n".join(lines) + "\n"


def _rows(action: argparse.Action) -> list[str]:
    if action.dest == "json":
        return []
    name = ", ".join(action.option_strings) or action.dest.upper()
    if action.choices is not None:
        name += f" ({', '.join(map(str, action.choices))})"
    return [f"| `{name}` | {action.help or ''} |"]


if __name__ == "__main__":
    main(sys.argv[1:])
