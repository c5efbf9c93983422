"""The same text, however a client spells it on a later turn.

A turn repeats the turns before it, but not byte for byte: a string becomes a list with one text block, a cache
marker moves, an escape is written another way. What identifies a conversation is compared after that is gone.
"""

from collections.abc import Iterable

import msgspec

from tokenpakd.exchange.request import DialectName

# A blank, so that the first byte can be asked of every value.
NOTHING = msgspec.Raw(b" ")

_BETWEEN_BLOCKS = b"\x1f"
_BETWEEN_MESSAGES = b"\x1e"
_KEPT_BYTES = 32_768
_MARKED_BYTES = 64
_NAME_BYTES = 256


class Part(msgspec.Struct, gc=False):
    """One part of a message as far as identity goes: its text, or what stands for a picture or a file."""

    type: str = ""
    text: msgspec.Raw = NOTHING
    source: msgspec.Raw = NOTHING
    image_url: msgspec.Raw = NOTHING
    input_audio: msgspec.Raw = NOTHING
    file: msgspec.Raw = NOTHING
    file_id: msgspec.Raw = NOTHING
    file_data: msgspec.Raw = NOTHING


# Nearly every role is one of these, spelled like this.
_ROLES = {b'"user"': "user", b'"assistant"': "assistant", b'"model"': "model", b" ": ""}
_PARTS = msgspec.json.Decoder(list[Part])
_TEXT = msgspec.json.Decoder(str)


def is_text(raw: msgspec.Raw) -> bool:
    """Say whether a value is a JSON string."""
    return memoryview(raw)[0] == 0x22


def is_list(raw: msgspec.Raw) -> bool:
    """Say whether a value is a JSON array."""
    return memoryview(raw)[0] == 0x5B


def is_object(raw: msgspec.Raw) -> bool:
    """Say whether a value is a JSON object."""
    return memoryview(raw)[0] == 0x7B


def text(raw: msgspec.Raw) -> bytes:
    """Return the text of a string literal as UTF-8, the same for every escaping; empty for other values."""
    if not is_text(raw):
        return b""
    literal = bytes(raw)
    if b"\\" not in literal:
        return literal[1:-1]
    try:
        return _TEXT.decode(literal).encode()
    except ValueError:  # not UTF-8: equal bytes stay equal, which is all that is needed
        return literal[1:-1]


def name(raw: msgspec.Raw) -> str | None:
    """Return a short string value such as a model name, of a long one its beginning; None when it is no string."""
    if not is_text(raw):
        return None
    # It goes into the row, the log and the metrics.
    return text(raw)[:_NAME_BYTES].decode("utf-8", "replace")


def role(raw: msgspec.Raw) -> str | None:
    """Return a message's role, empty where it has none; None when it is no string: such a message is odd."""
    literal = bytes(raw)
    known = _ROLES.get(literal)
    if known is not None:
        return known
    return text(raw).decode("utf-8", "replace") if is_text(raw) else None


def parts(raw: msgspec.Raw) -> list[Part]:
    """Return the parts of a list of them; one odd part spoils the list, then it is empty."""
    if not is_list(raw):
        return []
    try:
        return _PARTS.decode(raw)
    except (ValueError, RecursionError):
        return []


def content(raw: msgspec.Raw) -> bytes:
    """Return one identity for a message's content: string ≡ one text block ≡ its text."""
    if is_text(raw):
        return clipped(text(raw))
    return joined(piece(part) for part in parts(raw))


def joined(pieces: Iterable[bytes]) -> bytes:
    """Return the pieces of one message with a separator between them."""
    return clipped(_BETWEEN_BLOCKS.join(pieces))


def opening(
    dialect: DialectName, instructions: list[bytes], first: bytes | None, *, key: msgspec.Raw = NOTHING
) -> tuple[bytes, ...]:
    """Return the parts that identify a conversation; empty when no user has spoken yet.

    `key` is an identity the client itself names (`prompt_cache_key`).
    """
    if first is None:
        return ()
    return dialect.value.encode(), text(key), _BETWEEN_MESSAGES.join(instructions), first


def clipped(whole: bytes) -> bytes:
    """Return a text, of a very long one both ends and its length: a pasted book is told apart without hashing it."""
    if len(whole) <= 2 * _KEPT_BYTES:
        return whole
    return b"%b\x1d%d\x1d%b" % (whole[:_KEPT_BYTES], len(whole), whole[-_KEPT_BYTES:])


def piece(part: Part) -> bytes:
    """Return a part's text, or a mark where it has none."""
    if is_text(part.text):
        return text(part.text)
    return mark(part.type, part.source, part.image_url, part.input_audio, part.file, part.file_id, part.file_data)


def mark(kind: str, *values: msgspec.Raw) -> bytes:
    """Return what stands for a part without text: its kind, and length and end of the first value that is there."""
    for value in values:
        view = memoryview(value)
        if view.nbytes > 1:
            return b"\x1d%b %d %b" % (kind.encode(), view.nbytes, bytes(view[-_MARKED_BYTES:]))
    return b"\x1d" + kind.encode()
