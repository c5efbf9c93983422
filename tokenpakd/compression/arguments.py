"""What a model wrote as a call's arguments: texts that later results may repeat."""

from collections.abc import Iterator

import msgspec

_DEPTH = 3
"""An edit in a list of edits."""
_OBJECT = msgspec.json.Decoder(dict[str, object])


def strings(arguments: str) -> tuple[str, ...]:
    """Return the strings among the arguments, a JSON object; all of it as one where it is none."""
    try:
        return tuple(_strings(_OBJECT.decode(arguments), _DEPTH))
    except (ValueError, RecursionError):
        return (arguments,)


def _strings(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list) and depth:
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strings(each, depth - 1)
