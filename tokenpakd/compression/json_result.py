"""One JSON tool result: what is known already becomes pointers, what remains columns.

The engine calls `encode`, decides what it sends, and tells the index by `learn`: the index may only point at what was
really sent.
"""

import msgspec

from tokenpakd.compression import columns, json_text
from tokenpakd.compression.json_text import Document
from tokenpakd.compression.segments import Segment
from tokenpakd.compression.values import ValueIndex
from tokenpakd.exchange.request import Call


class Encoded(msgspec.Struct, frozen=True):
    """A JSON result, `source`, in its two shorter forms, each None where it is no gain over the one before it.

    `columns`: by its own text alone. `pointed`: with pointers to values above as well, from `pointed_from`.
    """

    source: str
    columns: str | None
    pointed: str | None
    original: Document
    pointed_from: Document

    @property
    def text(self) -> str | None:
        """Return the shortest form; None where the original is as good."""
        return self.columns if self.pointed is None else self.pointed

    @property
    def by(self) -> tuple[str, ...]:
        """Return who had a part in `text`."""
        return ("values", "columns") if self.pointed is not None else ("columns",) if self.columns is not None else ()


def encode(text: str, segment: Segment, index: ValueIndex) -> Encoded | None:
    """Return what may become of a tool result; None where it is no JSON document or a file's text.

    The index stays as it is.
    """
    if segment not in columns.READ:
        return None
    document = json_text.read(text)
    if document is None:
        return None
    try:
        pointed_from, has_pointers = index.encode(document)
        plain = columns.shortened(document, text)
        pointed = columns.shortened(pointed_from, plain or text) if has_pointers else None
    except ValueError:
        return None
    return Encoded(text, plain, pointed, document, pointed_from)


def learn(index: ValueIndex, text: str, encoded: Encoded | None, call: Call | None, sent: str | None) -> None:
    """Take note of a result, `text`, that is sent as `sent`: as it came, in one of its forms or otherwise.

    `sent` is None where a pointer to an equal one stands in its place. Every result is to be told: a pointer names a
    call, and the reader looks into whatever that call brought.
    """
    if call is None:
        return
    if encoded is not None and encoded.pointed is not None and sent == encoded.pointed:
        index.learn(encoded.pointed_from, call, has_pointers=True)
    elif encoded is not None and (sent is None or sent in (encoded.source, encoded.columns)):
        index.learn(encoded.original, call, is_shown=sent is not None)
    else:
        learn_unread(index, text, call)


def learn_short(index: ValueIndex, text: str, call: Call | None) -> None:
    """Take note of a result that is sent as it came because it is short."""
    document = json_text.read(text) if "{" in text else None
    if document is not None:
        index.learn(document, call)
    else:
        learn_unread(index, text, call)


def learn_unread(index: ValueIndex, text: str, call: Call | None) -> None:
    """Take note of a result that nobody read: if it can hold an object, nothing is said of its call any more."""
    if call is not None and "{" in text:
        index.silence(call)
