"""What of a freshly read configuration may stand while the daemon runs. Pure."""

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from tokenpakd.config.load import Loaded
from tokenpakd.config.schema import Config
from tokenpakd.config.sections import Apply, Section

AnySection = TypeVar("AnySection", bound=Section)


def by_effect(changed: Iterable[tuple[str, Apply]]) -> dict[Apply, tuple[str, ...]]:
    """Group keys by when a change of them takes effect."""
    grouped: dict[Apply, list[str]] = {"live": [], "restart": [], "daemon": []}
    for key, apply in changed:
        grouped[apply].append(key)
    return {apply: tuple(keys) for apply, keys in grouped.items()}


def keeping(fresh: Loaded, standing: Loaded, keys: Iterable[str]) -> Loaded:
    """Yield `fresh` with these keys, and where they come from, as they stand; the next reload names them again."""
    config, origins = fresh.config, dict(fresh.origins)
    for key in keys:
        path = key.split(".")
        config = _set(config, path, _get(standing.config, path))
        if key in standing.origins:
            origins[key] = standing.origins[key]
    return Loaded(config, origins, fresh.file)


def with_ports(config: Config, port: int, websocket_port: int) -> Config:
    """Yield the configuration as workers need it: with the ports that are really bound."""
    listen = msgspec.structs.replace(config.listen, port=port, ws_port=websocket_port)
    return msgspec.structs.replace(config, listen=listen)


def _get(section: Section, path: list[str]) -> object:
    value: object = section
    for part in path:
        value = getattr(value, part)
    return value


def _set(section: AnySection, path: list[str], value: object) -> AnySection:
    head, *rest = path
    return msgspec.structs.replace(section, **{head: _set(getattr(section, head), rest, value) if rest else value})
