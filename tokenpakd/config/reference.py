"""The reference page of the configuration, written from the schema.

`python -m tokenpakd.config.reference [FOLDER]` writes every generated page of this package into the folder.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from tokenpakd.config.effect import is_in_effect
from tokenpakd.config.schema import Key, keys
from tokenpakd.paths import VARIABLES

_WHEN = {"live": "at once", "restart": "new workers", "daemon": "daemon restart"}
_HEAD = """\
# Configuration

<!-- Generated from tokenpakd/config by `make reference`; a test compares it. Do not edit. -->

The file is YAML. Flags win over the environment, the environment over the file, the file over the defaults;
`tokenpakctl config` shows each value with its origin, `tokenpakctl reload` takes a changed file over. A file with a
mistake is refused as a whole, with every mistake named, and a running daemon keeps what it has. Anchors, aliases
and tags are not accepted. `on`, `yes`, `1` and `enabled` are true, `off`, `no`, `0` and `disabled` are false.

*takes effect*: **at once** with a reload; **new workers**: a reload starts new workers and drains the old ones;
**daemon restart**: with the next start of the daemon; **no effect in this version**: accepted and checked, and
nothing reads it yet (a daemon with such a key set logs a warning). `NAME` stands for a name of your choice,
`[]` for each entry of a list.
"""


def pages() -> dict[str, str]:
    """Yield the pages by file name."""
    return {"configuration.md": _configuration()}


def main(arguments: Sequence[str]) -> None:
    """Write the pages into the folder named, else into docs/reference."""
    folder = Path(arguments[0] if arguments else "docs/reference")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
        print(folder / name)


def _configuration() -> str:
    parts = [_HEAD]
    group = None
    for key in keys():
        section = key.name.split(".")[0] if "." in key.name or key.name == "providers" else "general"
        if section != group:
            parts.append(
                f"\n## {section}\n\n| key | values | default | takes effect | meaning |\n|---|---|---|---|---|\n"
            )
            group = section
        parts.append(_row(key))
    parts.append("\n## Environment\n\n| variable | key | meaning |\n|---|---|---|\n")
    parts += [f"| `{key.env}` | `{key.name}` | {key.description} |\n" for key in keys() if key.env]
    bound = {key.env for key in keys()}
    parts += [f"| `{name}` | – | {meaning} |\n" for name, meaning in VARIABLES.items() if name not in bound]
    return "".join(parts)


def _row(key: Key) -> str:
    values = f"{key.type}, {key.bounds}" if key.bounds else key.type
    default = f"`{key.default}`" if key.default else "required"
    when = _WHEN[key.apply] if is_in_effect(key.name) else "no effect in this version"
    return f"| `{key.name}` | {values} | {default} | {when} | {key.description} |\n"


if __name__ == "__main__":
    main(sys.argv[1:])
