"""A request's body taken apart for comparing: its frame, its messages, and every string the model reads."""

from collections.abc import Iterator
from typing import Any

import msgspec

_LISTS = ("messages", "input", "contents")
_NOT_READ = frozenset(
    ("id", "type", "role", "tool_use_id", "tool_call_id", "call_id", "signature", "thoughtSignature", "cache_control")
)
"""Keys whose strings are for the machinery."""
_DATA = frozenset(("input", "args", "arguments", "response"))
"""Keys whose values are the tool's own: there any key is read."""
_NONE: frozenset[str] = frozenset()

_BODY = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])


class Parts(msgspec.Struct, frozen=True):
    """`messages`: each as its JSON, in order; `frame`: all other fields in theirs."""

    frame: tuple[tuple[str, bytes], ...]
    messages: tuple[bytes, ...]


def parts(body: bytes) -> Parts:
    """Return a body's parts; a prompt that is one string is one message.

    Raises:
      ValueError: the body is no JSON object.
    """
    fields = _BODY.decode(body)
    name = next((name for name in _LISTS if name in fields), "")
    raw = fields.pop(name, None)
    frame = tuple((key, bytes(value)) for key, value in fields.items())
    if raw is None:
        return Parts(frame, ())
    is_list = memoryview(raw)[0] == 0x5B
    return Parts(frame, tuple(bytes(item) for item in _ITEMS.decode(raw)) if is_list else (bytes(raw),))


def canonical(message: bytes) -> bytes:
    """Return one spelling for a message: string ≡ one text block, no cache markers, sorted keys.

    Raises:
      ValueError: it is no JSON.
    """
    return msgspec.json.encode(_bare(msgspec.json.decode(message)), order="sorted")


def strings(message: object) -> tuple[str, ...]:
    """Return every string of a decoded message that the model reads; of arguments those inside the JSON document."""
    return tuple(_strings(message, "", _NOT_READ))


def texts(message: object) -> tuple[str, ...]:
    """Return the texts of a decoded message as the model is charged for them: arguments as JSON, not their strings."""
    return tuple(_texts(message))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name in _NOT_READ:
                continue
            if name in _DATA and not isinstance(inner, str):
                yield msgspec.json.encode(inner).decode()
            else:
                yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _strings(value: object, key: str, skipped: frozenset[str]) -> Iterator[str]:
    if isinstance(value, str):
        if key == "arguments":
            try:
                yield from _strings(msgspec.json.decode(value), "", _NONE)
                return
            except ValueError:  # the model wrote no JSON: it is read as it stands
                pass
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name not in skipped:
                yield from _strings(inner, str(name), _NONE if name in _DATA else skipped)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, key, skipped)
    elif isinstance(value, int | float):
        yield str(value)


def _bare(message: Any) -> Any:
    if not isinstance(message, dict):
        return message
    found = {key: value for key, value in message.items() if key != "cache_control"}
    content = found.get("content")
    if isinstance(content, str):
        found["content"] = [{"type": "text", "text": content}]
    elif isinstance(content, list):
        found["content"] = [_bare(block) for block in content]
    return found
