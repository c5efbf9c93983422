"""The configuration that stands, each key with its value and where that comes from."""

import difflib

import msgspec

from tokenpakd.config.effect import is_in_effect
from tokenpakd.config.load import Loaded, Origin
from tokenpakd.config.schema import Key, key_named, keys
from tokenpakd.control.access import Access
from tokenpakd.control.daemon import Daemon
from tokenpakd.control.dispatch import INVALID_PARAMS, Verb, VerbFailed
from tokenpakd.ipc.control_api import ConfigKeyResult, ConfigParams, ConfigResult

_MISSING = object()


async def run(daemon: Daemon, params: ConfigParams) -> ConfigResult:
    loaded = daemon.loaded
    file = None if loaded.file is None else str(loaded.file)
    names = [params.key] if params.key is not None else list(loaded.origins)
    found = tuple(entry for name in names for entry in [_entry(name, loaded)] if entry is not None)
    if params.key is not None and not found:
        near = difflib.get_close_matches(params.key[:100], [*loaded.origins, *(key.name for key in keys())], n=1)
        hint = f"Did you mean {near[0]}?" if near else "Run `tokenpakctl config`."
        raise VerbFailed(f"there is no key {params.key[:100]}", hint=hint, code=INVALID_PARAMS)
    return ConfigResult(file=file, keys=tuple(_with_control(entry, daemon) for entry in found))


def _entry(name: str, loaded: Loaded) -> ConfigKeyResult | None:
    """Yield one key; None when there is none of that name. A key that nobody set has no value of its own."""
    key = key_named(name)
    if key is None:
        return None
    value = _value(msgspec.to_builtins(loaded.config), name)
    if value is _MISSING:
        if key.name != name:
            return None
        value = None
    return _result(name, value, loaded.origins.get(name) or _above(name, loaded), key)


def _above(name: str, loaded: Loaded) -> Origin:
    """Yield the origin of the map or list that holds the key."""
    while "." in name:
        name = name.rpartition(".")[0]
        if name in loaded.origins:
            return loaded.origins[name]
    return Origin("default")


def _value(tree: object, name: str) -> object:
    for part in name.split("."):
        if not isinstance(tree, dict) or part not in tree:
            return _MISSING
        tree = tree[part]
    return tree


def _result(name: str, value: object, origin: Origin, key: Key) -> ConfigKeyResult:
    return ConfigKeyResult(
        key=name,
        value=value,
        source=origin.source if not origin.detail else f"{origin.source} {origin.detail}",
        default=key.default,
        type=key.type,
        description=key.description,
        bounds=key.bounds,
        env=key.env,
        takes_effect=key.apply,
        in_effect=is_in_effect(key.name),
    )


def _with_control(entry: ConfigKeyResult, daemon: Daemon) -> ConfigKeyResult:
    """The mode may stand above the file: changed over the control socket."""
    if entry.key != "mode" or daemon.mode_source != "control":
        return entry
    return msgspec.structs.replace(entry, value=str(daemon.mode), source="control")


VERB = Verb(name="config", access=Access.READ, params=ConfigParams, run=run)
