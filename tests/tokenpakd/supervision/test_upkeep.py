import threading
from collections.abc import Iterable
from pathlib import Path

import trio
from trio.testing import MockClock

from tokenpakd.exchange.row import TelemetryState
from tokenpakd.ipc.worker_api import Heartbeat
from tokenpakd.supervision.upkeep import IDLE_S, TEND_EVERY_S, Upkeep


class Store:
    """Notes what it was asked for; fails or hangs when told to."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fails = False
        self.is_locked = False
        self.epoch: int | None = 0
        self.hangs: threading.Event | None = None

    def prepare(self, database: Path) -> TelemetryState:
        self._note("prepare")
        database.touch()
        return TelemetryState()

    def tend(self, database: Path, reported: Iterable[str]) -> TelemetryState:
        self._note(f"tend {' '.join(sorted(reported))}")
        return TelemetryState()

    def care_for_log(self, database: Path, *, is_quiet: bool) -> bool:
        if is_quiet:
            self._note("empty the log")
        return not self.is_locked

    def mark_crashed(self, database: Path, boot_id: str, worker: str) -> int | None:
        self._note(f"mark_crashed {boot_id} {worker}")
        return None if self.is_locked else 1

    def mark_stale_boots(self, database: Path, boot_id: str) -> int | None:
        self._note("mark_stale_boots")
        return 0

    def newest_epoch(self, database: Path) -> int | None:
        return self.epoch

    def forget_pins(self, database: Path, *, before_epoch: int) -> int | None:
        self._note(f"forget_pins {before_epoch}")
        return None if self.is_locked else 0

    def prune(self, database: Path, *, older_than_unix_ms: int) -> int:
        self._note("prune")
        return 0

    def _note(self, call: str) -> None:
        if self.hangs is not None:
            self.hangs.wait(20)
        self.calls.append(call)
        if self.fails:
            raise OSError("disk on fire")


def lab(tmp_path: Path) -> tuple[Store, Upkeep, Path]:
    store, database = Store(), tmp_path / "telemetry.db"
    database.touch()
    return store, Upkeep(store, database, "boot"), database


async def test_the_start_prepares_and_closes_what_earlier_daemons_left(tmp_path: Path) -> None:
    store, found, _ = lab(tmp_path)
    await found.prepare()
    await found.mark_crashed("data-plane-1")
    assert await found.forget_pins(0) == 1
    assert store.calls == ["prepare", "mark_stale_boots", "mark_crashed boot data-plane-1", "forget_pins 1"]


async def test_what_a_locked_store_refused_is_tried_again_until_it_is_done(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    store, found, _ = lab(tmp_path)
    store.is_locked = True
    await found.mark_crashed("data-plane-1")
    await found.forget_pins(0)
    await found.tick({}, is_idle=False)
    mark = "mark_crashed boot data-plane-1"
    assert store.calls == [mark, "forget_pins 1", mark]
    store.is_locked = False
    await found.tick({}, is_idle=False)
    assert len(store.calls) == 3, "not at every tick"
    for _ in range(3):
        mock_clock.jump(TEND_EVERY_S)
        await found.tick({}, is_idle=False)
    assert store.calls[3:] == [mark, "forget_pins 1"]


async def test_the_new_epoch_is_above_every_stored_one_even_where_the_store_cannot_tell(tmp_path: Path) -> None:
    store, found, _ = lab(tmp_path)
    store.epoch = 7
    assert await found.forget_pins(2) == 8
    assert await found.forget_pins(9) == 10
    store.epoch, store.is_locked = None, True
    assert await found.forget_pins(9) > 1_700_000_000_000


async def test_a_worker_in_trouble_is_tended_to_every_other_second(tmp_path: Path, mock_clock: MockClock) -> None:
    store, found, database = lab(tmp_path)
    full = {"a": Heartbeat(telemetry=TelemetryState(state="full")), "b": Heartbeat()}
    for _ in range(2):
        await found.tick(full, is_idle=False)
    assert store.calls == ["tend full"]
    mock_clock.jump(TEND_EVERY_S)
    database.unlink()
    await found.tick(full, is_idle=False)
    assert store.calls == ["tend full", "tend full missing"]


async def test_the_log_is_emptied_once_it_is_quiet(tmp_path: Path, mock_clock: MockClock) -> None:
    store, found, _ = lab(tmp_path)
    await found.tick({}, is_idle=True)
    assert store.calls == ["prune"]
    await found.tick({}, is_idle=False)
    await found.tick({}, is_idle=True)
    mock_clock.jump(IDLE_S)
    store.is_locked = True
    await found.tick({}, is_idle=True)
    store.is_locked = False
    for _ in range(3):
        await found.tick({}, is_idle=True)
    assert store.calls == ["prune", "empty the log", "empty the log"]


async def test_a_store_that_fails_stops_nobody(tmp_path: Path) -> None:
    store, found, _ = lab(tmp_path)
    store.fails = True
    await found.prepare()
    assert store.calls == ["prepare", "mark_stale_boots"]


async def test_a_store_that_hangs_is_given_up_on_and_keeps_one_thread_only(tmp_path: Path) -> None:
    store, found, _ = lab(tmp_path)
    store.hangs = threading.Event()
    before = threading.active_count()
    try:
        for _ in range(3):
            with trio.fail_after(5):
                assert await found._call("forget_pins", lambda: store.forget_pins(Path(), before_epoch=1), 0.05) is None
        assert threading.active_count() <= before + 1
    finally:
        store.hangs.set()
    with trio.fail_after(5):
        assert await found._call("forget_pins", lambda: store.forget_pins(Path(), before_epoch=1), 5) == 0
