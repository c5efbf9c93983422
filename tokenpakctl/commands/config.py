"""Every key with its value and where that comes from."""

from __future__ import annotations

import json

from tokenpakctl.render import View, plain, table
from tokenpakctl.session import OK, USAGE, Failed, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

_VALUE_CHARS = 60
_EFFECT = {
    "live": "at the next `tokenpakctl reload`",
    "restart": "at the next `tokenpakctl reload`, with new workers",
    "daemon": "when the daemon is started anew",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=("get", "explain"), help="one key: its value, or all about it")
    parser.add_argument("key", nargs="?", help="a key such as listen.port")


def run(options: argparse.Namespace, session: Session) -> int:
    action: str | None = options.action
    if action is not None and options.key is None:
        raise Failed(f"config {action} needs a key", "Run `tokenpakctl config`.", code="usage", exit_code=USAGE)
    result = session.call("config") if action is None else session.call("config", key=options.key)
    keys = View(result).views("keys")
    if action is None:
        session.emit(result, listing(View(result).text("file", "no file"), keys))
    elif action == "get":
        session.emit(keys[0].fields if len(keys) == 1 else result, "\n".join(map(_value, keys)))
    else:
        session.emit(keys[0].fields if len(keys) == 1 else result, "\n\n".join(map(explained, keys)))
    return OK


def listing(file: str, keys: list[View]) -> str:
    """Yield all keys as a table."""
    rows = [[key.text("key"), _shortened(_value(key)), key.text("source")] for key in keys]
    return f"{file}\n\n" + table(("key", "value", "source"), rows)


def explained(key: View) -> str:
    """Yield everything that is known of one key."""
    effect = key.text("takes_effect")
    is_idle = key.fields.get("in_effect") is False
    facts = [
        ("value", f"{_value(key)} (from {key.text('source')})"),
        ("default", key.text("default", "none: it must be given")),
        ("type", key.text("type")),
        ("bounds", key.text("bounds", "")),
        ("variable", key.text("env", "")),
        ("effect", "no effect in this version" if is_idle else _EFFECT.get(effect, effect)),
    ]
    return "\n".join(
        [f"{key.text('key')}: {key.text('description', '')}", *(f"  {name:<9} {text}" for name, text in facts if text)]
    )


def _shortened(value: str) -> str:
    """Keep one long value, such as all of `providers`, from stretching every line; `config get` shows it whole."""
    return value if len(value) <= _VALUE_CHARS else value[: _VALUE_CHARS - 1] + "…"


def _value(key: View) -> str:
    value = key.fields.get("value")
    return plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
