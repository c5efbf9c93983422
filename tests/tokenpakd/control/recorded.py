"""Exchanges put on record as a worker does it."""

import time

import msgspec

from tokenpakd.exchange.request import RequestId
from tokenpakd.exchange.row import CloseRow, OpenRow, Outcome, RoomTrace
from tokenpakd.exchange.usage import Usage
from tokenpakd.storage.recorder import Recorder


def record(
    recorder: Recorder,
    name: str,
    outcome: Outcome = Outcome.OK,
    uncached: int = 20,
    told: dict[str, object] | None = None,
) -> None:
    """Open and close one exchange; `told` replaces fields of its OpenRow."""
    opened = OpenRow(
        id=RequestId(name), at_unix_ms=round(time.time() * 1000), boot_id="boot", worker="w", path="/v1/messages",
        dialect="anthropic_messages", provider="anthropic", model="claude-x", is_stream=False, mode="hybrid",
        conversation=None, client="test", bytes_received=100, bytes_sent=80, saved_tokens=7, sent_tokens_estimate=20,
        spans_replaced=1,
    )  # fmt: skip
    opened = msgspec.structs.replace(opened, **(told or {}))
    recorder.open(opened, None)
    rooms = (RoomTrace("guard", 0.1, "passed"),)
    usage = Usage(input_uncached=uncached, output=5)
    recorder.close(CloseRow(opened=opened, outcome=outcome, status=200, usage=usage, rooms=rooms))
