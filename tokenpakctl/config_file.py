"""Door: the configuration file, for the few values tokenpakctl needs while no daemon runs.

What is wrong with the file is the daemon's to say: here an unreadable file is an empty one.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


def value(path: Path, *keys: str) -> object:
    """Yield the value at a dotted key, such as ("listen", "port"); None where there is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    import yaml  # costs 20 ms: only where there is a file and no daemon

    try:
        found: object = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError):
        return None  # the last two are the parser's own mishaps: `!!bool maybe`, `!!timestamp x`
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found
