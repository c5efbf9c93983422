"""Exact repeats of earlier tool results become pointers to the first one.

Rules of this file:
- The first occurrence stays as it is; a pointer names the call whose output stands verbatim in the request.
- What happens to a result depends on it and on what stands before it, so a longer conversation begins with the bytes
  of the shorter one and the provider's cached prefix holds.
- Literals are compared byte for byte: equal text in another spelling is left alone.
- A pointer is never longer than what it stands for.
"""

from collections.abc import Sequence

import msgspec

from tokenpakd.compression import naming
from tokenpakd.compression.splice import Replacement
from tokenpakd.exchange.request import Call, Span, SpanKind

MIN_CHARS = 400

_KEY_BYTES = 32
_MAX_EXTRA_BYTES_PER_ESCAPE = 6  # half a surrogate pair takes 6 bytes and may add no character
_MAX_UTF8_BYTES = 4
_TEXT = msgspec.json.Decoder(str)

# Length and both ends tell nearly all literals apart. Those that agree in them are compared with the first of their
# kind and, where they differ from it, hashed whole: hundreds of look-alikes cost two passes over their bytes, not
# one for every pair.
_Key = tuple[int, bytes, bytes]


class _First(msgspec.Struct, frozen=True, gc=False):
    span: Span
    call: Call


def replacements(body: bytes, spans: Sequence[Span]) -> tuple[Replacement, ...]:
    """Return a pointer for every tool result that repeats an earlier one of at least 400 characters.

    `spans` stand in the order of the body. A result whose call is unknown or reads a protected file is neither replaced
    nor pointed at.
    """
    found: list[Replacement] = []
    firsts: dict[_Key, _First] = {}
    lookalikes: dict[bytes, _First] = {}
    counted: dict[tuple[str, str], int] = {}
    for span in spans:
        call = span.call
        if span.kind is not SpanKind.TOOL_RESULT or span.is_protected or call is None or call.is_protected:
            continue
        if span.end - span.start >= MIN_CHARS + 2:
            first = _first(body, firsts, lookalikes, span, call)
            if first is not None and first.call != call and _is_long(body, span):
                pointer = _pointer(first, span, counted.get((first.call.name, first.call.label), 0))
                if len(pointer) < span.end - span.start:
                    found.append(Replacement(span.start, span.end, pointer))
        name = call.name, call.label
        counted[name] = max(counted.get(name, 0), call.ordinal)
    return tuple(found)


def _first(
    body: bytes, firsts: dict[_Key, _First], lookalikes: dict[bytes, _First], span: Span, call: Call
) -> _First | None:
    """Return the first result with this literal; None when this is the first, which is then noted."""
    start, end = span.start, span.end
    key = end - start, body[start : start + _KEY_BYTES], body[end - _KEY_BYTES : end]
    known = firsts.get(key)
    if known is None:
        firsts[key] = _First(span, call)
        return None
    literal = body[start:end]
    if literal == body[known.span.start : known.span.end]:
        return known
    first = lookalikes.get(literal)
    if first is None:
        lookalikes[literal] = _First(span, call)
    return first


def _is_long(body: bytes, span: Span) -> bool:
    literal = body[span.start : span.end]
    # Nearly always long enough at sight: decoding every candidate would cost more than finding it.
    least = len(literal) - 2 - _MAX_EXTRA_BYTES_PER_ESCAPE * literal.count(b"\\")
    if least >= MIN_CHARS * (1 if literal.isascii() else _MAX_UTF8_BYTES):
        return True
    try:
        return len(_TEXT.decode(literal)) >= MIN_CHARS
    except ValueError:
        return False


def _pointer(first: _First, span: Span, times: int) -> bytes:
    """Return the pointer's literal; `times`: how many calls of that name were answered before this result."""
    is_whole = span.is_whole and first.span.is_whole
    return msgspec.json.encode(naming.same_output(first.call, times=times, is_whole=is_whole))
