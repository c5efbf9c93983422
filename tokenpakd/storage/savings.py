"""What compression saved since a moment: tokens removed, usage measured, saving simulated. Blocks; use a thread.

Rows count where a model may have worked on them: not refused, no provider error without usage, no mere count.
"""

from collections.abc import Callable
from pathlib import Path

import apsw
import msgspec

from tokenpakd.exchange.row import PREFIX_BREAKS
from tokenpakd.exchange.savings import (
    InputWeights,
    MeasuredUsage,
    RemovedTokens,
    SavingsBy,
    SavingsGroup,
    SavingsView,
    SimulatedSaving,
    WouldSave,
)
from tokenpakd.storage.arms import SINCE, compare
from tokenpakd.storage.connection import integer, statement
from tokenpakd.storage.reading import reading
from tokenpakd.storage.totals import REPORTED, SENT

GROUPS_SHOWN = 400
STEP_ROWS = 1000


_KEYS = {
    SavingsBy.MODEL: "model",
    SavingsBy.DAY: "strftime('%Y-%m-%d', at_unix_ms / 1000, 'unixepoch', 'localtime')",
    SavingsBy.ARM: "arm",
}
_ORDERS = {
    SavingsBy.MODEL: "ORDER BY 2 DESC, 1",
    SavingsBy.DAY: "ORDER BY 1 DESC",
    SavingsBy.ARM: "ORDER BY arm = 'off', arm DESC",
}
_SUMS = statement(
    "count(*), count(DISTINCT conversation), coalesce(sum(",
    SENT,
    "), 0), coalesce(sum(saved_tokens), 0), coalesce(sum(removed_known_tokens), 0), count(CASE WHEN",
    REPORTED,
    "THEN 1 END), sum(input_uncached), sum(cache_read), sum(cache_write_5m), sum(cache_write_1h), sum(output),"
    " sum(saved_milli_units), count(saved_milli_units),"
    " sum(would_save_tokens), sum(would_save_milli_units), count(would_save_tokens),",
    ",".join("count(CASE prefix_break WHEN '" + cause + "' THEN 1 END)" for cause in PREFIX_BREAKS),
)
_TOTAL = statement("SELECT NULL,", _SUMS, SINCE)
_GROUPS = {by: statement("SELECT", key, ",", _SUMS, SINCE, "GROUP BY 1", _ORDERS[by]) for by, key in _KEYS.items()}

_STEP = (
    "SELECT min(seq), max(at_unix_ms) FROM"
    " (SELECT seq, at_unix_ms FROM exchanges WHERE seq < ? ORDER BY seq DESC LIMIT ?)"
)
_BEYOND_SEQ = 2**63 - 1


class _Sums(msgspec.Struct, frozen=True, array_like=True):
    """One group, in the order of _SUMS; the prefix breaks follow."""

    key: str | None
    requests: int
    conversations: int
    sent: int
    removed: int
    removed_known: int
    measured: int
    input_uncached: int | None
    cache_read: int | None
    cache_write_5m: int | None
    cache_write_1h: int | None
    output: int | None
    milli_units: int | None
    simulated: int
    would_save: int | None
    would_save_milli_units: int | None
    would_save_requests: int


def savings(
    database: Path,
    *,
    since_unix_ms: int,
    by: SavingsBy | None,
    weights_of: Callable[[str | None, str], InputWeights | None],
) -> SavingsView:
    """Yield the sums of what arrived since then, in groups where asked for: models by use, days from the newest
    back, arms.

    `weights_of(model, dialect)` says what a model's input tokens cost; None leaves its requests out of the comparison
    of the arms, and of nothing else.

    Raises:
      StorageError: the database cannot be read.
    """
    with reading(database) as connection:
        # One view of the file for all three questions.
        connection.execute("BEGIN")
        bound = (_first_seq(connection, since_unix_ms), since_unix_ms)
        total = _group(connection.execute(_TOTAL, bound).fetchall()[0])
        groups = connection.execute(_GROUPS[by], bound).fetchall() if by is not None else []
        arms = compare(connection, bound, weights_of)
    return SavingsView(
        since_unix_ms=since_unix_ms,
        by=by,
        total=total,
        groups=tuple(_group(row) for row in groups[:GROUPS_SHOWN]),
        groups_left_out=max(0, len(groups) - GROUPS_SHOWN),
        arms=arms,
    )


def _first_seq(connection: apsw.Connection, since_unix_ms: int) -> int:
    """Yield from which row on to look: rows lie in the order of closing, and what closed before then began before.

    A whole step in which nothing began since ends the search; a few long exchanges do not.
    """
    if since_unix_ms <= integer(connection, "SELECT min(at_unix_ms) FROM (SELECT at_unix_ms FROM exchanges LIMIT 1)"):
        return 0
    below = _BEYOND_SEQ
    while True:
        (oldest, newest_at), *_ = connection.execute(_STEP, (below, STEP_ROWS)).fetchall()
        if not isinstance(oldest, int) or not isinstance(newest_at, int) or newest_at < since_unix_ms:
            return 0 if below == _BEYOND_SEQ else below
        below = oldest


def _group(row: tuple[object, ...]) -> SavingsGroup:
    width = len(_Sums.__struct_fields__)
    found = msgspec.convert(row[:width], _Sums)
    breaks = msgspec.convert(row[width:], tuple[int, ...])
    return SavingsGroup(
        key=found.key,
        requests=found.requests,
        conversations=found.conversations,
        sent_tokens=found.sent,
        removed=RemovedTokens(
            total=found.removed, first_seen=found.removed - found.removed_known, known=found.removed_known
        ),
        measured=MeasuredUsage(
            requests=found.measured,
            input_uncached=found.input_uncached,
            cache_read=found.cache_read,
            cache_write_5m=found.cache_write_5m,
            cache_write_1h=found.cache_write_1h,
            output=found.output,
        ),
        simulated=SimulatedSaving(
            milli_units=found.milli_units,
            requests=found.simulated,
            requests_unknown=found.requests - found.simulated,
        ),
        would_save=WouldSave(
            tokens=found.would_save, milli_units=found.would_save_milli_units, requests=found.would_save_requests
        ),
        prefix_breaks=dict(zip(PREFIX_BREAKS, breaks, strict=True)),
    )
