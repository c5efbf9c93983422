"""Exchange string literals of a body for others; every other byte stays where it was in order."""

from collections.abc import Sequence

import msgspec


class Replacement(msgspec.Struct, frozen=True):
    """`body[start:end]`, a JSON string literal with both quotes, becomes `literal`, another one."""

    start: int
    end: int
    literal: bytes


class Inconsistent(Exception):
    """The replacements do not fit the body (we sent nonsense): send the original bytes instead."""


_LITERAL = msgspec.json.Decoder(str)


def splice(body: bytes, replacements: Sequence[Replacement]) -> bytes:
    """Return the body with the replacements in place; the same object when there is nothing to replace.

    Raises:
      Inconsistent: they are unsorted, overlap, leave the body, or one side is no JSON string literal.
    """
    if not replacements:
        return body
    view = memoryview(body)
    pieces: list[memoryview | bytes] = []
    position = 0
    for replacement in replacements:
        start, end = replacement.start, replacement.end
        if start < position or end - start < 2 or end > len(body):
            raise Inconsistent(f"a span of bytes {start} to {end} overlaps its neighbour or leaves the body")
        # 0x22 is the quote: a span that does not begin and end with one was not a literal of this body.
        if body[start] != 0x22 or body[end - 1] != 0x22:
            raise Inconsistent(f"a span of bytes {start} to {end} is no string literal")
        _check(replacement.literal)
        pieces += view[position:start], replacement.literal
        position = end
    pieces.append(view[position:])
    return b"".join(pieces)


def _check(literal: bytes) -> None:
    try:
        _LITERAL.decode(literal)
    except ValueError as exc:
        raise Inconsistent("a replacement is no string literal") from exc
