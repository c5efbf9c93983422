import os
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from tokenpakd.exchange.row import CloseRow, OpenRow, Outcome, Pin
from tokenpakd.storage import ballast, custody
from tokenpakd.storage.reading import recent, trace
from tokenpakd.storage.recorder import Recorder

Opened = Callable[..., OpenRow]
Closed = Callable[..., CloseRow]
Lock = Callable[[Path], Callable[[], None]]


def recorder_on(database: Path) -> Recorder:
    return Recorder(database, boot_id="boot-1", worker="data-1")


@pytest.fixture(autouse=True)
def light_ballast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ballast, "BALLAST_BYTES", 64 * 1024)


def test_prepare_makes_folder_file_and_ballast(database: Path) -> None:
    assert custody.prepare(database).state == "ok"
    assert database.parent.stat().st_mode & 0o777 == 0o700
    assert database.stat().st_mode & 0o777 == 0o600
    assert ballast.ballast_of(database).stat().st_size == 64 * 1024
    assert custody.prepare(database).state == "ok"


def test_no_ballast_is_taken_where_room_is_scarce(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ballast, "PLENTY_BYTES", 2**60)
    assert custody.prepare(database).state == "ok"
    assert not ballast.ballast_of(database).exists()


def test_a_file_that_is_no_database_is_set_aside_never_deleted(database: Path) -> None:
    database.parent.mkdir(mode=0o700)
    garbage = b"precious to somebody " * 500
    database.write_bytes(garbage)
    assert custody.prepare(database).state == "ok"
    aside = list(database.parent.glob("telemetry.db.corrupt-*"))
    assert [path.read_bytes() for path in aside] == [garbage]
    assert recent(database, limit=5) == ()


def test_corruption_that_a_worker_met_is_mended_while_it_runs(database: Path, opened: Opened, closed: Closed) -> None:
    custody.prepare(database)
    recorder = recorder_on(database)
    for number in range(200):
        recorder.close(closed(opened(number)))
    assert custody.checkpoint(database, truncate=True)
    with database.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (database.stat().st_size - 4096))
    recorder.shutdown()
    recorder = recorder_on(database)
    recorder.close(closed(opened(500)))
    assert recorder.state().state == "corrupt"
    assert custody.tend(database, ["corrupt"]).state == "ok"
    recorder.tick(1.0)
    assert (recorder.state().state, recorder.state().rows_waiting) == ("ok", 0)
    assert [view.id for view in recent(database, limit=5)] == ["r00000500"]
    assert len(list(database.parent.glob("telemetry.db.corrupt-*"))) >= 1


def test_a_sound_file_that_was_reported_corrupt_stays(database: Path, opened: Opened, closed: Closed) -> None:
    custody.prepare(database)
    recorder_on(database).close(closed(opened()))
    assert custody.tend(database, ["corrupt"]).state == "ok"
    assert len(recent(database, limit=5)) == 1
    assert list(database.parent.glob("*.corrupt-*")) == []


def test_a_newer_schema_is_reported_and_left(database: Path) -> None:
    custody.prepare(database)
    connection = apsw.Connection(str(database))
    connection.execute("PRAGMA user_version = 999")
    assert custody.prepare(database).state == "newer_schema"
    assert connection.execute("PRAGMA user_version").fetchall() == [(999,)]


def test_a_lock_is_reported_and_nothing_is_set_aside(
    database: Path, lock_elsewhere: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    custody.prepare(database)
    monkeypatch.setattr(custody, "BUSY_MS", 20)
    release = lock_elsewhere(database)
    assert custody.prepare(database).state == "locked"
    assert custody.tend(database, ["error", "locked"]).state == "locked"
    release()
    assert custody.prepare(database).state == "ok"
    assert list(database.parent.glob("*.corrupt-*")) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes where nobody may")
def test_a_folder_without_write_permission_is_reported(database: Path) -> None:
    database.parent.mkdir(mode=0o500)
    assert custody.prepare(database).state in ("read_only", "missing")


def test_open_rows_of_a_dead_worker_become_crashed(database: Path, opened: Opened, closed: Closed) -> None:
    recorder = recorder_on(database)
    dead, alive, done = opened(1), opened(2, worker="data-2"), opened(3)
    for row in (dead, alive, done):
        recorder.open(row, None)
    recorder.close(closed(done))
    assert custody.mark_crashed(database, "boot-1", "data-1") == 1
    assert custody.mark_crashed(database, "boot-1", "data-1") == 0
    assert [(view.id, view.outcome) for view in recent(database, limit=5)] == [(dead.id, "crashed"), (done.id, "ok")]
    still = trace(database, alive.id)
    assert still is not None
    assert still.outcome is None


def test_what_earlier_daemons_left_open_becomes_crashed(database: Path, opened: Opened) -> None:
    recorder = recorder_on(database)
    recorder.open(opened(1, boot_id="boot-0"), None)
    recorder.open(opened(2), None)
    assert custody.mark_stale_boots(database, "boot-1") == 1
    assert [(view.id, view.outcome) for view in recent(database, limit=5)] == [("r00000001", "crashed")]


def test_a_close_after_the_crash_mark_has_the_last_word(database: Path, opened: Opened, closed: Closed) -> None:
    recorder = recorder_on(database)
    row = opened()
    recorder.open(row, None)
    custody.mark_crashed(database, "boot-1", "data-1")
    recorder.close(closed(row, outcome=Outcome.CLIENT_GONE))
    assert [(view.id, view.outcome) for view in recent(database, limit=5)] == [(row.id, "client_gone")]


def test_pins_are_forgotten(database: Path, opened: Opened) -> None:
    assert custody.newest_epoch(database) is None
    recorder = recorder_on(database)
    assert custody.newest_epoch(database) == 0
    for number, name in enumerate(("old", "new")):
        recorder.open(opened(number), Pin(conversation=name, mode="strict", epoch=number + 3, created_unix_ms=1))
    assert custody.newest_epoch(database) == 4
    assert custody.forget_pins(database, before_epoch=4) == 1
    assert recorder_on(database).load_pin("old", 0) is None
    assert recorder_on(database).load_pin("new", 4) is not None


def test_prune_deletes_what_is_old_and_the_order_of_closing_goes_on(
    database: Path, opened: Opened, closed: Closed
) -> None:
    recorder = recorder_on(database)
    for number in range(1200):
        recorder.close(closed(opened(number)))
    newest = recent(database, limit=1)[0].key
    assert newest is not None
    assert custody.prune(database, older_than_unix_ms=1_700_000_000_000 + 1000) == 1000
    assert custody.prune(database, older_than_unix_ms=2**60) == 199, "the newest stays"
    recorder.close(closed(opened(5000)))
    assert [view.id for view in recent(database, limit=5, after_key=newest)] == ["r00005000"]


def test_a_checkpoint_moves_the_log_and_a_truncating_one_empties_it(
    database: Path, opened: Opened, closed: Closed
) -> None:
    recorder = recorder_on(database)
    recorder.close(closed(opened()))
    assert custody.wal_bytes(database) > 0
    before_bytes = custody.wal_bytes(database)
    for number, truncate in enumerate((False, True)):
        assert custody.checkpoint(database, truncate=truncate)
        assert 0 < custody.wal_bytes(database) < before_bytes, "one page: the log has begun anew"
        recorder.close(closed(opened(number + 2)))
    assert len(recent(database, limit=5)) == 3


def test_a_write_after_a_checkpoint_does_not_begin_the_log(database: Path, opened: Opened, closed: Closed) -> None:
    recorder = recorder_on(database)
    for number, truncate in enumerate((False, True)):
        recorder.close(closed(opened(number)))
        assert custody.checkpoint(database, truncate=truncate)
        salt = wal_salt(database)
        recorder.close(closed(opened(number + 10)))
        assert wal_salt(database) == salt, "a new header is one that is synced"


def wal_salt(database: Path) -> bytes:
    return database.with_name(database.name + "-wal").read_bytes()[16:24]


def test_a_dead_workers_rows_that_cannot_be_closed_now_are_not_none_at_all(
    database: Path, opened: Opened, lock_elsewhere: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder_on(database).open(opened(), None)
    monkeypatch.setattr(custody, "BUSY_MS", 20)
    release = lock_elsewhere(database)
    assert custody.mark_crashed(database, "boot-1", "data-1") is None
    release()
    assert custody.mark_crashed(database, "boot-1", "data-1") == 1


@pytest.mark.parametrize(
    ("size_bytes", "is_quiet", "done"),
    [
        (0, True, None),
        (1, True, "truncate"),
        (custody.WAL_PASSIVE_BYTES, False, None),
        (custody.WAL_PASSIVE_BYTES + 1, False, "plain"),
        (custody.WAL_TRUNCATE_BYTES + 1, False, "truncate"),
    ],
)
def test_the_size_of_the_log_decides_what_is_done(
    database: Path, monkeypatch: pytest.MonkeyPatch, size_bytes: int, is_quiet: bool, done: str | None
) -> None:
    asked: list[str] = []

    def checkpoint(database: Path, *, truncate: bool) -> bool:
        asked.append("truncate" if truncate else "plain")
        return True

    monkeypatch.setattr(custody, "wal_bytes", lambda database: size_bytes)
    monkeypatch.setattr(custody, "checkpoint", checkpoint)
    assert custody.care_for_log(database, is_quiet=is_quiet)
    assert asked == ([] if done is None else [done])


def test_tending_keeps_the_log_small(
    database: Path, opened: Opened, closed: Closed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(custody, "WAL_PASSIVE_BYTES", 64 * 1024)
    custody.prepare(database)
    recorder = recorder_on(database)
    for number in range(400):
        recorder.close(closed(opened(number)))
        if number % 20 == 0:
            custody.tend(database, ["ok"])
    assert custody.wal_bytes(database) < 1024 * 1024
    assert recorder.state().rows_lost == 0
    assert len(recent(database, limit=1000)) == 400


def test_nothing_is_created_by_looking_after_a_file_that_is_not_there(database: Path) -> None:
    assert custody.wal_bytes(database) == 0
    assert custody.checkpoint(database, truncate=True) is False
    assert custody.mark_crashed(database, "b", "w") is None
    assert custody.prune(database, older_than_unix_ms=1) == 0
    assert not database.exists()
