"""Where the list of messages stands, and the values before all of them, without a second pass over the body.

A list that is decoded into messages leaves no Raw of its own, and decoding it once more for its place alone would
double the cost of a look. But its messages leave some. Everything between two known values of the body that stand on
known levels is copied into a small document of its own, and the parser says where the list begins and ends there:
the place is exact, whatever stands between.
"""

from collections.abc import Iterable, Sequence

import msgspec

from tokenpakd.dialects import glance
from tokenpakd.dialects.canonical import NOTHING
from tokenpakd.dialects.span_index import SpanIndex

_FRAMING = b'"[{'
_NOWHERE = 0, 0


class _Messages(msgspec.Struct, gc=False):
    list: msgspec.Raw = msgspec.field(default=NOTHING, name="messages")


class _Input(msgspec.Struct, gc=False):
    list: msgspec.Raw = msgspec.field(default=NOTHING, name="input")


class _Contents(msgspec.Struct, gc=False):
    list: msgspec.Raw = msgspec.field(default=NOTHING, name="contents")


_Decoder = msgspec.json.Decoder[_Messages] | msgspec.json.Decoder[_Input] | msgspec.json.Decoder[_Contents]
_DECODERS: dict[str, _Decoder] = {
    "messages": msgspec.json.Decoder(_Messages),
    "input": msgspec.json.Decoder(_Input),
    "contents": msgspec.json.Decoder(_Contents),
}


def frame(index: SpanIndex, values: Iterable[msgspec.Raw]) -> tuple[tuple[int, int], ...]:
    """Return the places of those values that say something (strings, lists, objects), in the order of the body."""
    found = (index.value(value) for value in values if memoryview(value)[0] in _FRAMING)
    return tuple(sorted(place for place in found if place is not None))


def messages(
    index: SpanIndex, key: str, beside: Iterable[msgspec.Raw], inside: Sequence[msgspec.Raw]
) -> tuple[int, int]:
    """Return the place of the list under `key` at the top of the body; (0, 0) when there is none or it is empty.

    `inside`: one value of each of the list's objects, right below it, in order; NOTHING where it has none. `beside`:
    values at the top level of the body; they shorten the work only.
    """
    if not inside:
        return _NOWHERE
    first = next((place for place in map(index.value, inside) if place is not None), None)
    last = next((place for place in map(index.value, reversed(inside)) if place is not None), None)
    if first is not None and last is not None:
        place = _between(index, key, beside, first[0], last[1])
        if place is not None:
            return place
    return _looked_up(index, index.body, key) or _NOWHERE


def _between(
    index: SpanIndex, key: str, beside: Iterable[msgspec.Raw], first_start: int, last_end: int
) -> tuple[int, int] | None:
    body = index.body
    tops = [place for place in map(index.value, beside) if place is not None]
    begin = max((end for _, end in tops if end <= first_start), default=0)
    stop = min((start for start, _ in tops if start >= last_end), default=len(body))
    # Every known value is left out and stands as a 0. The list's first known object ends there, the last goes on.
    opening = b'{"":0' if begin else b""
    head = opening + body[begin:first_start] + b'0},{"":0'
    document = head + body[last_end:stop] + (b"0}" if stop < len(body) else b"")
    place = _looked_up(SpanIndex(document), document, key)
    if place is None:
        return None
    start, end = place[0] + begin - len(opening), place[1] + last_end - len(head)
    # 0x5B and 0x5D are the brackets.
    is_list = body[start] == 0x5B and body[end - 1] == 0x5D
    return (start, end) if is_list and start < first_start and last_end < end else None


def _looked_up(index: SpanIndex, document: bytes, key: str) -> tuple[int, int] | None:
    try:
        return index.value(_DECODERS[key].decode(document).list)
    except glance.ODD:
        return None
