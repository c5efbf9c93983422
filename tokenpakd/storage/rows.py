"""How a row is written: the statements, and the values that they bind, in their order."""

import msgspec

from tokenpakd.exchange.row import CloseRow, OpenRow, Pin, RoomTrace
from tokenpakd.exchange.usage import Usage
from tokenpakd.storage.connection import statement

Value = int | float | str | None

OPEN_COLUMNS = (
    "id, at_unix_ms, boot_id, worker, path, dialect, provider, model, is_stream, is_token_count, mode, conversation,"
    " client, bytes_received, bytes_sent, saved_tokens, sent_tokens_estimate, spans_replaced"
)
CLOSE_COLUMNS = (
    "outcome, status, upstream_status, input_uncached, cache_read, cache_write_5m, cache_write_1h, output, reasoning,"
    " audio_input, audio_output, service_tier, is_usage_known, is_usage_suspect, bytes_returned, ttfb_ms,"
    " duration_ms, overhead_ms, error_code, note, rooms"
)

INSERT_OPEN = statement("INSERT OR IGNORE INTO in_flight (", OPEN_COLUMNS, ") VALUES (", ",".join("?" * 18), ")")

# The row that stays is whole as the close brought it: bytes sent or the provider may have changed since the open.
# A row that was given up as crashed and closes after all is replaced, at the end.
INSERT_CLOSED = statement(
    "INSERT OR REPLACE INTO exchanges (", OPEN_COLUMNS, ",", CLOSE_COLUMNS, ") VALUES (", ",".join("?" * 39), ")"
)

INSERT_PIN = (
    "INSERT INTO pins (conversation, mode, epoch, created_unix_ms) VALUES (?,?,?,?)"
    " ON CONFLICT (conversation) DO UPDATE SET mode = excluded.mode, epoch = excluded.epoch,"
    " created_unix_ms = excluded.created_unix_ms WHERE excluded.epoch > pins.epoch"
)

SELECT_PIN = "SELECT mode, epoch, created_unix_ms FROM pins WHERE conversation = ?"

_ROOMS = msgspec.json.Encoder()
_UNREPORTED = Usage()


def open_values(row: OpenRow) -> tuple[Value, ...]:
    """Yield what INSERT_OPEN binds."""
    return (
        row.id,
        row.at_unix_ms,
        row.boot_id,
        row.worker,
        row.path,
        row.dialect,
        row.provider,
        row.model,
        row.is_stream,
        row.is_token_count,
        row.mode,
        row.conversation,
        row.client,
        row.bytes_received,
        row.bytes_sent,
        row.saved_tokens,
        row.sent_tokens_estimate,
        row.spans_replaced,
    )


def closed_values(row: CloseRow) -> tuple[Value, ...]:
    """Yield what INSERT_CLOSED binds."""
    usage = row.usage or _UNREPORTED
    return (
        *open_values(row.opened),
        row.outcome,
        row.status,
        row.upstream_status,
        usage.input_uncached,
        usage.cache_read,
        usage.cache_write_5m,
        usage.cache_write_1h,
        usage.output,
        usage.reasoning,
        usage.audio_input,
        usage.audio_output,
        usage.service_tier,
        row.usage is not None,
        usage.suspect,
        row.bytes_returned,
        row.ttfb_ms,
        row.duration_ms,
        row.overhead_ms,
        row.error_code,
        row.note,
        _rooms_json(row.rooms),
    )


def _rooms_json(rooms: tuple[RoomTrace, ...]) -> str:
    try:
        return _ROOMS.encode(rooms).decode()
    except UnicodeError:
        said = (RoomTrace(room.room, room.ms, str(_sayable(room.decided))) for room in rooms)
        return _ROOMS.encode(tuple(said)).decode()


def pin_values(pin: Pin) -> tuple[Value, ...]:
    """Yield what INSERT_PIN binds."""
    return (pin.conversation, pin.mode, pin.epoch, pin.created_unix_ms)


def sayable(values: tuple[Value, ...]) -> tuple[Value, ...]:
    """Replace what no database takes: lone surrogates in text, integers beyond 64 bits become NULL."""
    return tuple(_sayable(value) for value in values)


def _sayable(value: Value) -> Value:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return None
    return value
