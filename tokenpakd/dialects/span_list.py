"""What makes spans of the values a dialect found: where they stand, what is worth pointing at, what is protected."""

from collections.abc import Collection, Iterable
from operator import attrgetter, itemgetter

import msgspec

from tokenpakd.dialects import glance, instructions
from tokenpakd.dialects.canonical import NOTHING, is_list, is_text
from tokenpakd.dialects.span_index import SpanIndex
from tokenpakd.exchange.request import Call, Span, SpanKind

# Shorter arguments are not worth pointing at; skipping them keeps the cost of a look flat.
MIN_ARGUMENT_BYTES = 80
MIN_ARGUMENTS_BYTES = 160

RESULT = SpanKind.TOOL_RESULT
USER = SpanKind.USER_TEXT
_ARGUMENT = SpanKind.TOOL_ARGUMENT
_ARGUMENTS = SpanKind.TOOL_ARGUMENTS

Found = tuple[msgspec.Raw, SpanKind, Call | None, bool]
"""A value, what it is, the call it belongs to, and whether it is all of its result, message or arguments."""


class _Text(msgspec.Struct, gc=False):
    type: str = ""
    text: msgspec.Raw = NOTHING


_TEXTS = msgspec.json.Decoder(list[_Text])
_VALUES = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_RAW = itemgetter(0)
_START = attrgetter("start")


def spans(index: SpanIndex, found: list[Found], user_places: Iterable[tuple[int, int]] = ()) -> tuple[Span, ...]:
    """Return the spans of these values as they stand in the body; those that are no string of it are passed over.

    `user_places`: where further texts of the user's stand, each of them a whole message.
    """
    body = index.body
    made = [
        Span(start, end, USER, None, True, instructions.are_mentioned(body, start, end)) for start, end in user_places
    ]
    for (_, kind, call, is_whole), place in zip(found, index.literals(map(_RAW, found)), strict=True):
        if place is None:
            continue
        start, end = place
        if kind is USER:
            is_protected = instructions.are_mentioned(body, start, end)
        else:
            is_protected = call is not None and call.is_protected
            if kind is RESULT and not is_protected:
                is_protected = instructions.are_contained(body, start, end)
        made.append(Span(start, end, kind, call, is_whole, is_protected))
    made.sort(key=_START)
    return tuple(made)


def add_texts(
    found: list[Found], content: msgspec.Raw, kind: SpanKind, call: Call | None, types: Collection[str] = ("text",)
) -> None:
    """Add a content: a string, or the texts of a list of parts that are of these types."""
    if is_text(content):
        found.append((content, kind, call, True))
        return
    parts = glance.listed(_TEXTS, content)
    found.extend((part.text, kind, call, len(parts) == 1) for part in parts if part.type in types)


def add_arguments(found: list[Found], raw: msgspec.Raw, call: Call | None) -> None:
    """Add what a call was given: an object's longer strings, or a longer string that holds a JSON document."""
    view = memoryview(raw)
    if call is None or view.nbytes < MIN_ARGUMENT_BYTES:
        return
    if view[0] == 0x7B:
        values = _values(raw)
        for value in values:
            view = memoryview(value)
            if view.nbytes >= MIN_ARGUMENT_BYTES:
                if view[0] == 0x22:
                    found.append((value, _ARGUMENT, call, len(values) == 1))
                else:
                    _add_nested(found, value, call)
    elif view.nbytes >= MIN_ARGUMENTS_BYTES:
        found.append((raw, _ARGUMENTS, call, True))


def add_input(found: list[Found], raw: msgspec.Raw, call: Call | None) -> None:
    """Add the free text a call was given, unless it is short."""
    if call is not None and memoryview(raw).nbytes >= MIN_ARGUMENTS_BYTES:
        found.append((raw, _ARGUMENT, call, True))


def _add_nested(found: list[Found], raw: msgspec.Raw, call: Call) -> None:
    """Add the strings of a list, of its objects, or of an object: the edits of an editing tool, and no deeper."""
    for item in glance.listed(_ITEMS, raw) if is_list(raw) else (raw,):
        view = memoryview(item)
        if view.nbytes >= MIN_ARGUMENT_BYTES:
            values = _values(item) if view[0] == 0x7B else (item,)
            found.extend((value, _ARGUMENT, call, False) for value in values if _is_long_text(value))


def _values(raw: msgspec.Raw) -> list[msgspec.Raw]:
    try:
        return list(_VALUES.decode(raw).values())
    except glance.ODD:
        return []


def _is_long_text(raw: msgspec.Raw) -> bool:
    view = memoryview(raw)
    return view[0] == 0x22 and view.nbytes >= MIN_ARGUMENT_BYTES
