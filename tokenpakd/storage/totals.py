"""The sums of `/stats`, from one pass over the closed rows; those of today alone, from the newest ones."""

from pathlib import Path

import msgspec

from tokenpakd.exchange.views import CompressionTotals, LimitTotals, Stats, Totals
from tokenpakd.storage.connection import statement
from tokenpakd.storage.reading import reading, saved

MODELS_SHOWN = 200

# A row counts its tokens where a model may have worked on them: the provider said so, or it was not refused, not
# answered with an error, and is no mere count.
REPORTED = "coalesce(input_uncached, cache_read, cache_write_5m, cache_write_1h) IS NOT NULL"
_TOTAL = (
    "(coalesce(input_uncached, 0) + coalesce(cache_read, 0) + coalesce(cache_write_5m, 0)"
    " + coalesce(cache_write_1h, 0))"
)
BILLED = statement("(is_token_count = 0 AND (", REPORTED, "OR outcome NOT IN ('refused', 'upstream_error')))")
SENT = statement("CASE WHEN", REPORTED, "THEN", _TOTAL, "ELSE coalesce(sent_tokens_estimate, 0) END")

_COLUMNS = statement(
    "count(*),",
    "sum(outcome IN ('upstream_error', 'upstream_cut', 'upstream_timeout', 'crashed')),",
    "sum(is_token_count),",
    "sum(CASE WHEN",
    BILLED,
    "THEN",
    SENT,
    "ELSE 0 END),",
    "sum(CASE WHEN",
    BILLED,
    "THEN saved_tokens ELSE 0 END),",
    "sum(coalesce(output, 0)), sum(coalesce(cache_read, 0)),",
    "sum(coalesce(cache_write_5m, 0) + coalesce(cache_write_1h, 0)),",
    "sum(spans_replaced > 0), sum(spans_replaced),",
    "sum(CASE WHEN spans_replaced > 0 THEN bytes_received - bytes_sent ELSE 0 END),",
    "sum(outcome = 'refused' AND coalesce(error_code, '') = 'rate_limited'),",
    "sum(outcome = 'refused' AND coalesce(error_code, '') = 'budget_exceeded'),",
    "min(seq)",
)
_SUMS = statement("SELECT model, boot_id = ?, at_unix_ms >= ?,", _COLUMNS, "FROM exchanges GROUP BY 1, 2, 3")
_SUMS_NEWEST = statement(
    "SELECT NULL, 0, at_unix_ms >= ?,",
    _COLUMNS,
    "FROM (SELECT * FROM exchanges WHERE seq < ? ORDER BY seq DESC LIMIT ?) GROUP BY 3",
)
_BEYOND_SEQ = 2**63 - 1
STEP_ROWS = 1000


class _Sums(msgspec.Struct, array_like=True):
    """One group, in the order of _SUMS; also what groups are added up in."""

    model: str | None = None
    is_session: bool = False
    is_today: bool = False
    requests: int = 0
    errors: int = 0
    token_counts: int = 0
    sent: int = 0
    removed: int = 0
    output: int = 0
    cache_read: int = 0
    cache_creation: int = 0
    changed: int = 0
    spans: int = 0
    bytes_removed: int = 0
    throttled: int = 0
    budget_refused: int = 0
    oldest_seq: int = 0

    def add(self, other: "_Sums") -> None:
        """Take in another group."""
        self.requests += other.requests
        self.errors += other.errors
        self.token_counts += other.token_counts
        self.sent += other.sent
        self.removed += other.removed
        self.output += other.output
        self.cache_read += other.cache_read
        self.cache_creation += other.cache_creation
        self.changed += other.changed
        self.spans += other.spans
        self.bytes_removed += other.bytes_removed
        self.throttled += other.throttled
        self.budget_refused += other.budget_refused

    def totals(self) -> Totals:
        """Yield the group as it is shown."""
        return Totals(
            requests=self.requests,
            errors=self.errors,
            token_count_calls=self.token_counts,
            input_tokens=self.sent + self.removed,
            sent_input_tokens=self.sent,
            output_tokens=self.output,
            cache_read_tokens=self.cache_read,
            cache_creation_tokens=self.cache_creation,
            saved=saved(self.removed, self.cache_read),
        )


def today(database: Path, *, day_start_unix_ms: int) -> Totals:
    """Yield the sums since the day began, read from the newest row back.

    Rows are in the order of closing, the day is that of the beginning: yesterday's long exchanges and crashed ones lie
    among today's. A whole step without a row of today ends the search.

    Raises:
      StorageError: the database cannot be read.
    """
    sums, below_seq = _Sums(), _BEYOND_SEQ
    with reading(database) as connection:
        while True:
            found = connection.execute(_SUMS_NEWEST, (day_start_unix_ms, below_seq, STEP_ROWS)).fetchall()
            groups = msgspec.convert(found, list[_Sums], strict=False)
            for group in groups:
                if group.is_today:
                    sums.add(group)
            if not any(group.is_today for group in groups):
                return sums.totals()
            below_seq = min(group.oldest_seq for group in groups)


def stats(database: Path, *, boot_id: str, day_start_unix_ms: int) -> Stats:
    """Yield the sums since this daemon started, since the day began, over all time, and by model.

    Raises:
      StorageError: the database cannot be read.
    """
    with reading(database) as connection:
        groups = msgspec.convert(
            connection.execute(_SUMS, (boot_id, day_start_unix_ms)).fetchall(), list[_Sums], strict=False
        )
    session, today, all_time = _Sums(), _Sums(), _Sums()
    models: dict[str, _Sums] = {}
    for group in groups:
        all_time.add(group)
        if group.is_session:
            session.add(group)
        if group.is_today:
            today.add(group)
        if group.model is not None:
            models.setdefault(group.model, _Sums()).add(group)
    most_used = sorted(models.items(), key=lambda item: (-item[1].requests, item[0]))[:MODELS_SHOWN]
    return Stats(
        session=session.totals(),
        today=today.totals(),
        all_time=all_time.totals(),
        by_model={model: sums.totals() for model, sums in most_used},
        compression=CompressionTotals(
            requests_changed=session.changed,
            spans_replaced=session.spans,
            tokens_removed=session.removed,
            bytes_removed=session.bytes_removed,
        ),
        limits=LimitTotals(throttled=session.throttled, budget_refused=session.budget_refused),
    )
