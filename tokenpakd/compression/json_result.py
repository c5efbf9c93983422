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
        pointed = columns.shortened(pointed_from, text) if has_pointers else None
    except ValueError:
        return None
    if pointed is not None and not columns.is_clearly_shorter(pointed, plain or text):
        pointed = None
    return Encoded(text, plain, pointed, document, pointed_from)


def learn(index: ValueIndex, encoded: Encoded, call: Call | None, sent: str) -> None:
    """Take note of a result that is sent as `sent`: as it came or in one of its forms; in any other it is not learned.

    Not to be called where a pointer to an equal result is sent in its place.
    """
    if encoded.pointed is not None and sent == encoded.pointed:
        index.learn(encoded.pointed_from, call, has_pointers=True)
    elif sent in (encoded.source, encoded.columns):
        index.learn(encoded.original, call)
