from pathlib import Path

import apsw
import msgspec
import pytest

from tokenpakd.exchange.row import Pin
from tokenpakd.storage import pins as pins_module
from tokenpakd.storage import rows
from tokenpakd.storage.connection import open_writer
from tokenpakd.storage.migrations import migrate
from tokenpakd.storage.pins import Pins


def pin(name: str = "c", *, epoch: int = 1, mode: str = "hybrid", masked_spans: int = 0) -> Pin:
    return Pin(
        conversation=name, mode=mode, epoch=epoch, created_unix_ms=5, compressors="hybrid-1", tokenizer="t-1",
        arm="holdout", min_cacheable_tokens=512, masked_spans=masked_spans,
    )  # fmt: skip


@pytest.fixture
def store(database: Path) -> apsw.Connection:
    connection = open_writer(database, busy_ms=100)
    migrate(connection, backup=None)
    return connection


def stored(store: apsw.Connection, name: str = "c") -> Pin | None:
    found = store.execute(rows.SELECT_PIN, (name,)).fetchall()
    return rows.pin_of(found[0]) if found else None


def save(pins: Pins, store: apsw.Connection, most: int = 10) -> None:
    while pins.has_unsaved():
        pins.forget(pins.write(store, most))


def test_every_field_of_a_pin_comes_back_from_the_store(store: apsw.Connection) -> None:
    pins = Pins(unsaved_max=10)
    given = pin(masked_spans=4)
    assert all(getattr(given, field.name) != field.default for field in msgspec.structs.fields(Pin)), (
        "each differs from what a missing column would give"
    )
    pins.save_later(given)
    save(pins, store)
    assert stored(store) == given


def test_of_one_epoch_the_first_pin_stands_and_a_later_epoch_takes_its_place(store: apsw.Connection) -> None:
    pins = Pins(unsaved_max=10)
    for given in (pin(epoch=1), pin(epoch=1, mode="strict"), pin(epoch=2, mode="aggressive"), pin(epoch=1)):
        pins.remember(given)
        store.execute(rows.INSERT_PIN, rows.pin_values(given))
    assert pins.seen("c") == pin(epoch=2, mode="aggressive") == stored(store)


@pytest.mark.parametrize(
    ("epoch", "masked", "expect"),
    [(1, 6, 6), (1, 3, 4), (2, 9, 4), (0, 9, 4)],
    ids=["higher", "lower", "newer", "older"],
)
def test_a_mask_only_rises_and_only_in_its_own_epoch(
    store: apsw.Connection, epoch: int, masked: int, expect: int
) -> None:
    pins = Pins(unsaved_max=10)
    pins.remember(pin(masked_spans=4))
    pins.save_later(pin(masked_spans=4))
    save(pins, store)
    pins.mask("c", epoch, masked)
    pins.mask("unknown", epoch, masked)
    store.execute(rows.RAISE_MASK, (masked, "c", epoch))
    assert pins.seen("c") == pin(masked_spans=expect) == stored(store)
    assert pins.seen("unknown") is None


def test_what_waits_is_written_in_steps_and_stays_until_it_is_forgotten(store: apsw.Connection) -> None:
    pins = Pins(unsaved_max=10)
    for number in range(5):
        pins.save_later(pin(f"c{number}", masked_spans=number))
    first = pins.write(store, 3)
    assert first == ("c0", "c1", "c2")
    assert pins.write(store, 3) == first, "a transaction that did not end is written again"
    save(pins, store, 3)
    assert [stored(store, f"c{number}") for number in range(5)] == [
        pin(f"c{number}", masked_spans=number) for number in range(5)
    ]


def test_what_waits_and_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch, store: apsw.Connection) -> None:
    monkeypatch.setattr(pins_module, "PINS_REMEMBERED", 2)
    pins = Pins(unsaved_max=3)
    for number in range(6):
        pins.remember(pin(f"c{number}"))
        pins.save_later(pin(f"c{number}"))
    assert [number for number in range(6) if pins.seen(f"c{number}")] == [4, 5], "the newest"
    assert pins.write(store, 10) == ("c0", "c1", "c2")
