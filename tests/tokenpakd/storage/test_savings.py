import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from tokenpakd.exchange.row import CloseRow, OpenRow, Outcome
from tokenpakd.exchange.savings import (
    Estimate,
    InputWeights,
    MeasuredUsage,
    RemovedTokens,
    SavingsBy,
    SavingsView,
    SimulatedSaving,
    WouldSave,
)
from tokenpakd.exchange.usage import Usage
from tokenpakd.storage import savings as savings_module
from tokenpakd.storage.connection import StorageError
from tokenpakd.storage.recorder import Recorder
from tokenpakd.storage.savings import savings

Opened = Callable[..., OpenRow]
Closed = Callable[..., CloseRow]
AT = 1_700_000_000_000
WEIGHTS = InputWeights(cache_read=0.1, cache_write_5m=1.25, cache_write_1h=2.0)


def weights_of(model: str | None, dialect: str) -> InputWeights | None:
    assert dialect == "anthropic_messages"
    return None if model == "unheard-of" else WEIGHTS


class Store:
    """Puts closed rows on record, one after another."""

    def __init__(self, database: Path, opened: Opened, closed: Closed) -> None:
        self.database = database
        self.recorder = Recorder(database, boot_id="boot-1", worker="data-1")
        self._opened, self._closed, self._number = opened, closed, 0

    def put(self, *, end: dict[str, object] | None = None, **changes: object) -> OpenRow:
        self._number += 1
        row = self._opened(self._number, **changes)
        self.recorder.close(self._closed(row, **(end or {})))
        return row

    def ask(self, *, since: int = 0, by: SavingsBy | None = None) -> SavingsView:
        return savings(self.database, since_unix_ms=since, by=by, weights_of=weights_of)


@pytest.fixture
def store(database: Path, opened: Opened, closed: Closed) -> Store:
    return Store(database, opened, closed)


def test_nothing_on_record_is_zeros_and_nulls(store: Store) -> None:
    for by in SavingsBy:
        found = store.ask(by=by)
        assert (found.total.requests, found.total.removed, found.groups) == (0, RemovedTokens(), ())
        assert found.total.measured == MeasuredUsage()
        assert found.total.simulated == SimulatedSaving()
        assert (found.arms.on.conversations, found.arms.per_request) == (0, None)


def test_the_three_figures_stay_apart_and_null_is_not_zero(store: Store) -> None:
    store.put(removed_known_tokens=20, saved_milli_units=9000, prefix_break="none")
    store.put(saved_milli_units=-11_000, prefix_break="us", end={"usage": None})
    row = store.put(conversation=None, end={"usage": Usage(input_uncached=3)})
    store.recorder.note_would_save(row.id, 70, -5)
    total = store.ask().total
    assert (total.requests, total.conversations) == (3, 1)
    assert total.removed == RemovedTokens(total=150, first_seen=130, known=20)
    assert total.sent_tokens == 115 + 200 + 3, "the provider's total, else our count"
    assert total.measured == MeasuredUsage(
        requests=2, input_uncached=13, cache_read=100, cache_write_5m=5, cache_write_1h=None, output=7
    )
    assert total.simulated == SimulatedSaving(milli_units=-2000, requests=2, requests_unknown=1), "a loss shows"
    assert total.would_save == WouldSave(tokens=70, milli_units=-5, requests=1)
    assert total.prefix_breaks == {"none": 1, "client": 0, "us": 1, "ttl": 0, "model": 0, "tools": 0}


@pytest.mark.parametrize(
    ("changes", "end", "counts"),
    [
        ({"is_token_count": True}, {}, 0),
        ({"is_token_count": True}, {"outcome": Outcome.CLIENT_GONE}, 0),
        ({}, {"outcome": Outcome.REFUSED, "usage": None}, 0),
        ({}, {"outcome": Outcome.REFUSED}, 0),
        ({}, {"outcome": Outcome.UPSTREAM_ERROR, "usage": None}, 0),
        ({}, {"outcome": Outcome.UPSTREAM_ERROR}, 1),
        ({}, {"outcome": Outcome.CLIENT_GONE, "usage": None}, 1),
        ({}, {"outcome": Outcome.CRASHED, "usage": None}, 1),
    ],
)
def test_only_what_a_model_may_have_worked_on_counts(
    store: Store, changes: dict[str, object], end: dict[str, object], counts: int
) -> None:
    row = store.put(arm="on", saved_milli_units=5, prefix_break="client", end=end, **changes)
    store.recorder.note_would_save(row.id, 7, 7)
    found = store.ask(by=SavingsBy.ARM)
    assert (found.total.requests, len(found.groups)) == (counts, counts)
    assert (found.total.removed.total, found.total.simulated.requests) == (50 * counts, counts)
    assert (found.total.would_save.requests, found.total.prefix_breaks["client"]) == (counts, counts)
    assert found.arms.on.requests + found.arms.on.requests_unmeasured == counts


def test_groups_add_up_to_the_total_and_a_conversation_counts_once_in_it(store: Store) -> None:
    for model, arm, conversation in (("a", "on", "c1"), ("b", "off", "c1"), ("b", "holdout", "c2"), (None, "on", "c1")):
        store.put(model=model, arm=arm, conversation=conversation)
    by_model = store.ask(by=SavingsBy.MODEL)
    assert [(group.key, group.requests) for group in by_model.groups] == [("b", 2), (None, 1), ("a", 1)]
    assert [group.key for group in store.ask(by=SavingsBy.ARM).groups] == ["on", "holdout", "off"]
    assert (by_model.total.requests, by_model.total.conversations) == (4, 2)
    assert by_model.by is SavingsBy.MODEL
    assert msgspec.json.decode(msgspec.json.encode(by_model))["groups"][0]["removed"]["total"] == 100


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "JST-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_tokyo")
def test_days_are_local_and_the_newest_comes_first(store: Store) -> None:
    for text in ("2026-03-01T23:59:59.999+09:00", "2026-03-02T00:00:00+09:00", "2026-03-02T08:00:00+09:00"):
        store.put(at_unix_ms=round(datetime.fromisoformat(text).timestamp() * 1000))
    groups = store.ask(by=SavingsBy.DAY).groups
    assert [(group.key, group.requests) for group in groups] == [("2026-03-02", 2), ("2026-03-01", 1)]


def test_groups_beyond_those_shown_are_counted_and_in_the_total(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(savings_module, "GROUPS_SHOWN", 2)
    for number in range(5):
        store.put(model=f"m{number}")
    found = store.ask(by=SavingsBy.MODEL)
    assert (len(found.groups), found.groups_left_out, found.total.requests) == (2, 3, 5)


@pytest.mark.parametrize("old", [3, 4, 9, 12])
def test_since_finds_every_row_that_began_then_or_later(
    store: Store, monkeypatch: pytest.MonkeyPatch, old: int
) -> None:
    monkeypatch.setattr(savings_module, "STEP_ROWS", 3)
    assert store.ask(since=AT).total.requests == 0
    for _ in range(old):
        store.put(at_unix_ms=AT - 10)
    assert store.ask(since=AT).total.requests == 0
    # Two that began before close among those that began since.
    for at_unix_ms in (AT, AT - 500, AT + 5, AT + 6, AT - 900, AT + 7, AT):
        store.put(at_unix_ms=at_unix_ms)
    assert store.ask(since=AT).total.requests == 5
    assert store.ask(since=AT + 7).total.requests == 1
    assert store.ask(since=AT + 8).total.requests == 0
    assert store.ask(since=AT - 500).total.requests == old + 6
    assert store.ask(since=0).total.requests == old + 7


def test_since_does_not_read_what_lies_far_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(savings_module, "STEP_ROWS", 3)
    for at_unix_ms in (AT - 20, AT + 1, *[AT - 10] * 6, AT):
        store.put(at_unix_ms=at_unix_ms)
    assert store.ask(since=AT).total.requests == 1, "a step in which nothing began since ends the search"


def usage(units: int) -> dict[str, object]:
    """Usage that weighs so many units."""
    return {"usage": Usage(input_uncached=units - 10 - 5 - 4, cache_read=100, cache_write_5m=4, cache_write_1h=2)}


def test_arms_are_compared_on_what_the_provider_measured(store: Store) -> None:
    for arm, conversation, units in (
        ("holdout", "c3", 200), ("on", "c1", 90), ("on", "c1", 110), ("on", "c2", 100), ("holdout", "c4", 260),
        ("off", "c5", 9999), ("on", None, 9999), ("holdout", None, 9999),
    ):  # fmt: skip
        store.put(arm=arm, conversation=conversation, end=usage(units))
    store.put(arm="on", conversation="c2", end={"usage": None})
    store.put(arm="on", conversation="c9", end={"usage": None})
    store.put(arm="holdout", conversation="c3", model="unheard-of", end=usage(5000))
    arms = store.ask().arms
    assert (arms.on.arm, arms.on.conversations, arms.on.requests) == ("on", 2, 3)
    assert (arms.on.requests_unmeasured, arms.on.requests_unweighted) == (2, 0)
    assert (arms.holdout.conversations, arms.holdout.requests, arms.holdout.requests_unweighted) == (2, 2, 1)
    assert arms.on.units_per_conversation == Estimate(mean=150.0, standard_error=50.0)
    assert arms.on.units_per_request == Estimate(mean=100.0, standard_error=0.0)
    assert arms.holdout.units_per_request == Estimate(mean=230.0, standard_error=30.0)
    assert arms.per_request is not None
    assert arms.per_request.units == Estimate(mean=-130.0, standard_error=30.0)
    assert arms.per_request.ratio is not None
    assert arms.per_request.ratio.mean == pytest.approx(100 / 230)


def test_what_went_out_before_the_first_was_held_out_is_not_compared(store: Store) -> None:
    store.put(arm="on", conversation="of another time", end=usage(9999))
    store.put(arm="holdout", conversation="c1", end=usage(100))
    store.put(arm="on", conversation="c2", end=usage(100))
    arms = store.ask().arms
    assert (arms.on.conversations, arms.holdout.conversations) == (1, 1)


def test_a_conversation_that_uses_two_models_is_one_conversation(store: Store) -> None:
    for model in ("a", "b", "a"):
        store.put(arm="on", model=model, end=usage(100))
    on = store.ask().arms.on
    assert (on.conversations, on.requests) == (1, 3)
    assert on.units_per_conversation == Estimate(mean=300.0)
    assert store.ask().arms.per_request is None, "there is nothing to compare with"


def test_a_store_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as failed:
        savings(tmp_path / "none.db", since_unix_ms=0, by=None, weights_of=weights_of)
    assert failed.value.state == "missing"
