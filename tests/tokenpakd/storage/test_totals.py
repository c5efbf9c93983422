from collections.abc import Callable
from pathlib import Path

import pytest

from tokenpakd.exchange.row import CloseRow, OpenRow, Outcome
from tokenpakd.exchange.usage import Usage
from tokenpakd.storage import totals
from tokenpakd.storage.recorder import Recorder
from tokenpakd.storage.totals import stats, today

Opened = Callable[..., OpenRow]
Closed = Callable[..., CloseRow]
DAY = 1_700_000_000_000


@pytest.fixture
def recorder(database: Path) -> Recorder:
    return Recorder(database, boot_id="boot-1", worker="data-1")


def test_an_empty_database_has_zeros_and_null_money(database: Path, recorder: Recorder) -> None:
    found = stats(database, boot_id="boot-1", day_start_unix_ms=DAY)
    assert (found.session.requests, found.all_time.input_tokens) == (0, 0)
    assert found.session.cost_usd is None
    assert found.session.saved.proxy_caused.usd is None
    assert found.by_model == {}


def test_session_today_and_all_time_are_told_apart(
    database: Path, recorder: Recorder, opened: Opened, closed: Closed
) -> None:
    recorder.close(closed(opened(1, boot_id="boot-0", at_unix_ms=DAY - 5)))
    recorder.close(closed(opened(2, boot_id="boot-0", at_unix_ms=DAY)))
    recorder.close(closed(opened(3, model="gpt-x")))
    recorder.open(opened(4), None)
    found = stats(database, boot_id="boot-1", day_start_unix_ms=DAY)
    assert (found.session.requests, found.today.requests, found.all_time.requests) == (1, 2, 3)
    assert {model: totals.requests for model, totals in found.by_model.items()} == {"claude-x": 2, "gpt-x": 1}
    assert found.session.sent_input_tokens == 115
    assert found.session.input_tokens == 165
    assert found.session.output_tokens == 7
    assert found.session.cache_read_tokens == 100
    assert found.session.cache_creation_tokens == 5
    assert found.session.saved.proxy_caused.tokens == 50
    assert found.session.saved.unclassified.tokens == 100
    assert found.session.saved.client_caused.tokens == 0
    assert (found.compression.requests_changed, found.compression.spans_replaced) == (1, 2)
    assert (found.compression.tokens_removed, found.compression.bytes_removed) == (50, 200)


@pytest.mark.parametrize(
    ("changes", "errors", "sent", "saved"),
    [
        ({"outcome": Outcome.OK}, 0, 200, 50),
        ({"outcome": Outcome.CLIENT_GONE}, 0, 200, 50),
        ({"outcome": Outcome.REFUSED}, 0, 0, 0),
        ({"outcome": Outcome.UPSTREAM_ERROR}, 1, 0, 0),
        ({"outcome": Outcome.UPSTREAM_ERROR, "usage": Usage(input_uncached=3)}, 1, 3, 50),
        ({"outcome": Outcome.UPSTREAM_CUT}, 1, 200, 50),
        ({"outcome": Outcome.UPSTREAM_TIMEOUT}, 1, 200, 50),
        ({"outcome": Outcome.CRASHED}, 1, 200, 50),
    ],
)
def test_tokens_count_where_a_model_may_have_worked_on_them(
    database: Path,
    recorder: Recorder,
    opened: Opened,
    closed: Closed,
    changes: dict[str, object],
    errors: int,
    sent: int,
    saved: int,
) -> None:
    recorder.close(closed(opened(), **({"usage": None} | changes)))
    session = stats(database, boot_id="boot-1", day_start_unix_ms=DAY).session
    assert (session.requests, session.errors) == (1, errors)
    assert (session.sent_input_tokens, session.saved.proxy_caused.tokens) == (sent, saved)
    assert session.input_tokens == sent + saved


def test_a_call_that_only_counts_is_free(database: Path, recorder: Recorder, opened: Opened, closed: Closed) -> None:
    recorder.close(closed(opened(is_token_count=True), usage=None))
    session = stats(database, boot_id="boot-1", day_start_unix_ms=DAY).session
    assert (session.requests, session.token_count_calls, session.input_tokens) == (1, 1, 0)
    assert session.saved.proxy_caused.tokens == 0


def test_refusals_are_told_by_kind(database: Path, recorder: Recorder, opened: Opened, closed: Closed) -> None:
    for number, code in enumerate(("rate_limited", "budget_exceeded", "budget_exceeded", None)):
        recorder.close(closed(opened(number), outcome=Outcome.REFUSED, usage=None, error_code=code))
    limits = stats(database, boot_id="boot-1", day_start_unix_ms=DAY).limits
    assert (limits.throttled, limits.budget_refused) == (1, 2)


def test_today_alone_is_what_the_sums_of_all_say_of_today(
    database: Path, recorder: Recorder, opened: Opened, closed: Closed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals, "STEP_ROWS", 3)
    assert today(database, day_start_unix_ms=DAY).requests == 0
    days = "oooooootoottotttott"  # o: began the day before; some of them closed among today's
    for number, day in enumerate(days):
        recorder.close(closed(opened(number, at_unix_ms=DAY + (number if day == "t" else -5))))
    found = today(database, day_start_unix_ms=DAY)
    assert found.requests == days.count("t")
    assert found == stats(database, boot_id="boot-1", day_start_unix_ms=DAY).today


def test_today_alone_stops_at_a_step_without_a_row_of_today(
    database: Path, recorder: Recorder, opened: Opened, closed: Closed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals, "STEP_ROWS", 3)
    for number, at_unix_ms in enumerate((DAY, *[DAY - 5] * 6, DAY)):
        recorder.close(closed(opened(number, at_unix_ms=at_unix_ms)))
    assert today(database, day_start_unix_ms=DAY).requests == 1, "it did not look at every row"
