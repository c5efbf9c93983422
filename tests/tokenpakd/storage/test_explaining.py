from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tokenpakd.exchange.request import RequestId
from tokenpakd.exchange.row import SPAN_NOTES_MAX, CloseRow, OpenRow, SpanNote
from tokenpakd.exchange.usage import Usage
from tokenpakd.exchange.views import SpanView
from tokenpakd.storage.explaining import explain
from tokenpakd.storage.recorder import Recorder

Opened = Callable[..., OpenRow]
Closed = Callable[..., CloseRow]
DID: dict[str, object] = {
    "arm": "on", "compressors": "hybrid-1", "tokenizer": "t-1", "removed_known_tokens": 30, "saved_milli_units": -1500,
    "prefix_break": "client", "known_spans": 12, "known_replaced": 3,
    "span_notes": (
        SpanNote(12, "tool_result", "code", 9000, 4000, 2500, 1100, "columns+lines", ""),
        SpanNote(13, "user_text", "narrative", 90, 90, 20, 20, "", "no gain"),
    ),
}  # fmt: skip


@pytest.fixture
def recorder(database: Path) -> Recorder:
    return Recorder(database, boot_id="boot-1", worker="data-1")


def test_what_compression_did_comes_back_as_it_was_written(
    database: Path, recorder: Recorder, opened: Opened, closed: Closed
) -> None:
    row = opened(1, **DID)
    recorder.open(row, None)
    in_flight = explain(database, row.id)
    recorder.close(closed(row))
    recorder.note_would_save(row.id, 77, 5)
    view = explain(database, row.id)
    assert in_flight is not None
    assert view is not None
    assert (in_flight.outcome, in_flight.would_save_tokens, in_flight.usage) == (None, None, None)
    assert (view.outcome, view.would_save_tokens, view.would_save_milli_units) == ("ok", 77, 5)
    assert view.usage == Usage(input_uncached=10, cache_read=100, cache_write_5m=5, output=7)
    for found in (in_flight, view):
        told = {name: getattr(found, name) for name in DID if name != "span_notes"}
        assert told == {name: value for name, value in DID.items() if name != "span_notes"}
        assert found.spans == (
            SpanView(12, "tool_result", "code", 9000, 4000, 2500, 1100, "columns+lines", ""),
            SpanView(13, "user_text", "narrative", 90, 90, 20, 20, "", "no gain"),
        )
        assert (found.mode, found.saved_tokens, found.bytes_received, found.bytes_sent) == ("hybrid", 50, 1000, 800)
    shown = msgspec.json.decode(msgspec.json.encode(view))
    assert shown["spans"][0]["by"] == "columns+lines", "spans are objects on the wire"


def test_a_row_without_compression_says_so(database: Path, recorder: Recorder, opened: Opened, closed: Closed) -> None:
    recorder.close(closed(opened(1)))
    view = explain(database, "r00000001")
    assert view is not None
    assert (view.arm, view.compressors, view.spans, view.prefix_break) == ("off", "", (), None)
    assert (view.saved_milli_units, view.would_save_tokens) == (None, None)


def test_notes_are_kept_up_to_their_number(database: Path, recorder: Recorder, opened: Opened, closed: Closed) -> None:
    notes = tuple(SpanNote(index, "tool_result", "log", 9, 9, 3, 3, "", "short") for index in range(SPAN_NOTES_MAX + 9))
    recorder.close(closed(opened(1, span_notes=notes)))
    view = explain(database, "r00000001")
    assert view is not None
    assert [span.index for span in view.spans] == list(range(SPAN_NOTES_MAX))


def test_an_unknown_id_is_none_whatever_it_holds(database: Path, recorder: Recorder) -> None:
    for text in ("", "nobody", "' OR 1=1 --", "\x00"):
        assert explain(database, RequestId(text)) is None
