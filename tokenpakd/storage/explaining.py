"""What compression did to one exchange, read back. Blocks; use a thread."""

from pathlib import Path

import msgspec

from tokenpakd.exchange.row import SpanNote
from tokenpakd.exchange.views import ExplainView, SpanView
from tokenpakd.storage.connection import statement
from tokenpakd.storage.reading import EXCHANGE, EXCHANGE_COLUMNS, OPEN_EXCHANGE, row_of, view_of

_COMPRESSED = (
    "arm, compressors, tokenizer, bytes_received, bytes_sent, saved_tokens, removed_known_tokens, saved_milli_units,"
    " prefix_break, spans_replaced, known_spans, known_replaced, span_notes"
)
_ONE = statement(
    "SELECT", EXCHANGE, ",", _COMPRESSED, ", would_save_tokens, would_save_milli_units FROM exchanges WHERE id = ?"
)
_ONE_OPEN = statement("SELECT", OPEN_EXCHANGE, ",", _COMPRESSED, ", NULL, NULL FROM in_flight WHERE id = ?")

_NOTES = msgspec.json.Decoder(tuple[SpanNote, ...])


class _Compressed(msgspec.Struct, frozen=True, array_like=True):
    """What follows the exchange, in the order of _COMPRESSED and _ONE."""

    arm: str
    compressors: str
    tokenizer: str
    bytes_received: int
    bytes_sent: int
    saved_tokens: int
    removed_known_tokens: int
    saved_milli_units: int | None
    prefix_break: str | None
    spans_replaced: int
    known_spans: int
    known_replaced: int
    span_notes: str
    would_save_tokens: int | None
    would_save_milli_units: int | None


def explain(database: Path, request_id: str) -> ExplainView | None:
    """Yield what became of the spans of one exchange, in flight or closed; None where the id is unknown.

    Raises:
      StorageError: the database cannot be read.
    """
    found = row_of(database, request_id, closed=_ONE, in_flight=_ONE_OPEN)
    if found is None:
        return None
    exchange = view_of(found[:EXCHANGE_COLUMNS])
    compressed = msgspec.convert(found[EXCHANGE_COLUMNS:], _Compressed)
    return ExplainView(
        id=exchange.id,
        at=exchange.at,
        model=exchange.model,
        provider=exchange.provider,
        dialect=exchange.dialect,
        outcome=exchange.outcome,
        mode=exchange.mode,
        conversation=exchange.conversation,
        arm=compressed.arm,
        compressors=compressed.compressors,
        tokenizer=compressed.tokenizer,
        bytes_received=compressed.bytes_received,
        bytes_sent=compressed.bytes_sent,
        saved_tokens=compressed.saved_tokens,
        removed_known_tokens=compressed.removed_known_tokens,
        saved_milli_units=compressed.saved_milli_units,
        would_save_tokens=compressed.would_save_tokens,
        would_save_milli_units=compressed.would_save_milli_units,
        prefix_break=compressed.prefix_break,
        spans_replaced=compressed.spans_replaced,
        known_spans=compressed.known_spans,
        known_replaced=compressed.known_replaced,
        spans=tuple(SpanView(*msgspec.structs.astuple(note)) for note in _NOTES.decode(compressed.span_notes)),
        usage=exchange.usage,
    )
