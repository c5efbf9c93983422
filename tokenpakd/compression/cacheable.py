"""From which span on a request is surely long enough for the provider to cache what stands before it.

Counted are the bytes that a client repeats on every later turn: not its cache markers, which move, nor whether it
wrote a text as a string or as a list with one block. So the answer stays the same when a turn is written anew.

A prompt that is taken for longer than it is shrinks below what is cached, and is billed whole. So a character counts
once however many bytes it takes, and runs of blanks and marks, many bytes to a token, count half as much as the
letters beside them.
"""

import re

from tokenpakd.exchange.request import Look, SpanKind

_KEY = b'"cache_control"'
_MARKER = re.compile(rb'"cache_control"\s*:\s*(?:\{[^{}]*\}|null)')
_OPENING = re.compile(
    rb'\[\s*\{\s*("cache_control"\s*:\s*(?:\{[^{}]*\}|null)\s*,\s*)?"type"\s*:\s*"text"\s*,\s*"text"\s*:\s*'
)
_LITERAL = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_CLOSING = re.compile(rb'(?:\s*,\s*"cache_control"\s*:\s*(?:\{[^{}]*\}|null))?(\s*\}\s*\])')
_SURELY = 4
"""Markers and wrapping are never three quarters of a text: a long one need not be looked through."""
_AT_SIGHT = 24
"""And no character takes more than six bytes."""
_ESCAPE = b"\\u"
_ESCAPE_BYTES = 6
_CONTINUED = bytes(range(0x80, 0xC0))
"""Bytes of UTF-8 that begin no character."""
_UNTELLING = bytes(code for code in range(0x80) if not chr(code).isalnum()) + _CONTINUED


def first_cacheable(body: bytes, look: Look, *, least_bytes: int, masked_spans: int = 0) -> int:
    """Return the first span that has so many bytes before it; the number of spans where none has.

    Results among the first `masked_spans` count nothing: they may be left out.
    """
    if least_bytes <= 0:
        return 0
    before = sum(_repeated(body, start, end, least_bytes) for start, end in look.frame)
    at = look.messages[0]
    for index, span in enumerate(look.spans):
        before += _repeated(body, at, span.start, least_bytes)
        if before >= least_bytes:
            return index
        if index >= masked_spans or span.kind is not SpanKind.TOOL_RESULT:
            before += _telling(body[span.start : span.end], least_bytes)
        at = span.end
    return len(look.spans)


def _repeated(body: bytes, start: int, end: int, least_bytes: int) -> int:
    size = end - start
    if size >= least_bytes * _AT_SIGHT:
        return size
    size = _characters(body[start:end])
    if size >= least_bytes * _SURELY:
        return size
    at = body.find(_KEY, start, end)
    while at >= 0:
        marker = _MARKER.match(body, at, end)
        stop = at + len(_KEY) if marker is None else marker.end()
        if marker is not None:
            size -= stop - at + _commas(body, start, at, stop, end)
        at = body.find(_KEY, stop, end)
    return size - _wrapping(body, start, end)


def _telling(literal: bytes, least_bytes: int) -> int:
    """Return what a text counts: its characters, blanks and marks for no more than half its letters."""
    if len(literal) >= least_bytes * _AT_SIGHT:
        literal = literal[: least_bytes * _AT_SIGHT]
    letters = len(literal.translate(None, _UNTELLING)) - (_ESCAPE_BYTES - 2) * literal.count(_ESCAPE)
    return min(_characters(literal), letters * 3 // 2)


def _characters(raw: bytes) -> int:
    return len(raw.translate(None, _CONTINUED)) - (_ESCAPE_BYTES - 1) * raw.count(_ESCAPE)


def _wrapping(body: bytes, start: int, end: int) -> int:
    """Return the bytes of lists with one block around texts; behind a span its own may be closed."""
    size = _closing(body, start, end)
    for opening in _OPENING.finditer(body, start, end):
        size += opening.end() - opening.start() - len(opening[1] or b"")  # a marker is counted by itself
        literal = _LITERAL.match(body, opening.end(), end)
        if literal is not None:
            size += _closing(body, literal.end(), end)
    return size


def _closing(body: bytes, at: int, end: int) -> int:
    found = _CLOSING.match(body, at, end)
    return found.end(1) - found.start(1) if found is not None else 0


def _commas(body: bytes, start: int, at: int, stop: int, end: int) -> int:
    """Return the bytes of the comma that goes with a marker, and the blanks beside it."""
    before = body[max(start, at - 8) : at]
    bare = before.rstrip()
    if bare[-1:] == b",":
        return len(before) - len(bare) + 1
    behind = body[stop : min(end, stop + 8)]
    bare = behind.lstrip()
    if bare[:1] == b",":
        return len(behind) - len(bare) + 1 + len(bare[1:]) - len(bare[1:].lstrip())
    return 0
