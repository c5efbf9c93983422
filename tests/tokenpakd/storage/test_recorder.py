import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import apsw
import msgspec
import pytest

from tokenpakd.exchange.request import RequestId
from tokenpakd.exchange.row import CloseRow, OpenRow, Outcome, Pin, SpanNote
from tokenpakd.storage.ballast import ballast_of
from tokenpakd.storage.custody import checkpoint
from tokenpakd.storage.explaining import explain
from tokenpakd.storage.migrations import MIGRATIONS
from tokenpakd.storage.reading import recent, trace
from tokenpakd.storage.recorder import Recorder

ROOT = Path(__file__).resolve().parents[3]
Opened = Callable[..., OpenRow]
Closed = Callable[..., CloseRow]
Lock = Callable[[Path], Callable[[], None]]


def recorder_on(database: Path, **options: int) -> Recorder:
    return Recorder(database, boot_id="boot-1", worker="data-1", **options)


def ids(database: Path) -> list[str]:
    return [view.id for view in reversed(recent(database, limit=1000))]


def put(recorder: Recorder, opened: Opened, closed: Closed, numbers: range) -> None:
    for number in numbers:
        row = opened(number)
        recorder.open(row, None)
        recorder.close(closed(row))


def test_a_row_is_in_flight_after_open_and_closed_after_close(database: Path, opened: Opened, closed: Closed) -> None:
    recorder = recorder_on(database)
    row = opened()
    recorder.open(row, None)
    in_flight = trace(database, row.id)
    assert in_flight is not None
    assert in_flight.outcome is None
    assert recent(database, limit=10) == ()
    recorder.close(closed(row))
    ended = trace(database, row.id)
    assert ended is not None
    assert ended.outcome == "ok"
    assert ids(database) == [row.id]


def test_the_file_and_its_log_are_for_the_owner_only(database: Path, opened: Opened, closed: Closed) -> None:
    put(recorder_on(database), opened, closed, range(1))
    for path in database.parent.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    assert database.parent.stat().st_mode & 0o077 == 0


def test_a_symbolic_link_in_place_of_the_file_is_not_followed(tmp_path: Path, opened: Opened) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"")
    link = tmp_path / "telemetry.db"
    link.symlink_to(victim)
    recorder = recorder_on(link)
    recorder.open(opened(), None)
    assert recorder.state().state != "ok"
    assert victim.read_bytes() == b""


def test_a_second_close_replaces_the_first(database: Path, opened: Opened, closed: Closed) -> None:
    recorder = recorder_on(database)
    row = opened()
    recorder.close(closed(row, outcome=Outcome.CRASHED, usage=None))
    recorder.close(closed(row))
    assert [(view.id, view.outcome) for view in recent(database, limit=10)] == [(row.id, "ok")]


def test_a_pin_is_kept_and_the_first_one_of_an_epoch_wins(database: Path, opened: Opened) -> None:
    recorder = recorder_on(database)
    first = Pin(conversation="c", mode="hybrid", epoch=1, created_unix_ms=5)
    recorder.open(opened(1), first)
    recorder.open(opened(2), Pin(conversation="c", mode="strict", epoch=1, created_unix_ms=6))
    assert recorder.load_pin("c", 1) == first
    other_worker = recorder_on(database)
    assert other_worker.load_pin("c", 1) == first
    assert other_worker.load_pin("c", 2) is None, "a pin of an older epoch is forgotten"
    assert other_worker.load_pin("unknown", 0) is None
    newer = Pin(conversation="c", mode="strict", epoch=2, created_unix_ms=7)
    other_worker.open(opened(3), newer)
    assert recorder_on(database).load_pin("c", 2) == newer


def test_a_pin_that_another_worker_made_anew_is_found(database: Path, opened: Opened) -> None:
    mine, other = recorder_on(database), recorder_on(database)
    first = Pin(conversation="c", mode="hybrid", epoch=1, created_unix_ms=1)
    mine.open(opened(1), first)
    assert other.load_pin("c", 1) == first
    anew = Pin(conversation="c", mode="strict", epoch=2, created_unix_ms=2)
    mine.open(opened(2), anew)
    assert other.load_pin("c", 1) == first
    assert other.load_pin("c", 2) == anew


def test_a_locked_database_costs_one_wait_and_loses_nothing(
    database: Path, opened: Opened, closed: Closed, lock_elsewhere: Lock
) -> None:
    recorder = recorder_on(database)
    put(recorder, opened, closed, range(1))
    recorder.shutdown()
    release = lock_elsewhere(database)
    recorder = recorder_on(database)
    started = time.monotonic()
    put(recorder, opened, closed, range(1, 400))
    took_s = time.monotonic() - started
    assert took_s < 0.5, "only the first statement may wait for the lock"
    assert recorder.state().state == "locked"
    assert recorder.state().rows_waiting == 399
    recorder.tick(1.0)
    assert recorder.state().rows_waiting == 399
    release()
    recorder.tick(2.0)
    assert (recorder.state().state, recorder.state().rows_waiting, recorder.state().rows_lost) == ("ok", 0, 0)
    assert ids(database) == [f"r{number:08d}" for number in range(400)], "in order"


def test_a_deleted_file_is_noticed_before_the_next_row_and_replaced(
    database: Path, opened: Opened, closed: Closed
) -> None:
    recorder = recorder_on(database)
    put(recorder, opened, closed, range(3))
    for path in list(database.parent.iterdir()):
        path.unlink()
    put(recorder, opened, closed, range(3, 6))
    assert recorder.state().state == "missing"
    assert recorder.state().rows_waiting == 3
    recorder.tick(1.0)
    assert recorder.state().state == "ok"
    assert ids(database) == ["r00000003", "r00000004", "r00000005"]
    recorder.shutdown()
    assert ids(database) == ["r00000003", "r00000004", "r00000005"], "closing the old one took the new log away"


def test_a_file_put_in_its_place_is_taken_up(database: Path, tmp_path: Path, opened: Opened, closed: Closed) -> None:
    recorder = recorder_on(database)
    put(recorder, opened, closed, range(1))
    fresh = tmp_path / "fresh.db"
    recorder_on(fresh).shutdown()
    for path in list(database.parent.iterdir()):
        path.unlink()
    fresh.rename(database)
    put(recorder, opened, closed, range(1, 2))
    recorder.tick(1.0)
    assert ids(database) == ["r00000001"]


def test_garbage_in_the_file_is_named_corrupt_and_rows_wait(database: Path, opened: Opened, closed: Closed) -> None:
    database.parent.mkdir(mode=0o700)
    database.write_bytes(b"this is no database, and long enough to be one " * 200)
    recorder = recorder_on(database)
    put(recorder, opened, closed, range(5))
    recorder.tick(1.0)
    assert recorder.state().state == "corrupt"
    assert recorder.state().rows_waiting == 5
    database.unlink()
    recorder.tick(2.0)
    assert recorder.state().state == "ok"
    assert len(ids(database)) == 5


def test_pages_overwritten_under_it_are_named_corrupt(database: Path, opened: Opened, closed: Closed) -> None:
    recorder = recorder_on(database)
    put(recorder, opened, closed, range(50))
    assert checkpoint(database, truncate=True)
    size = database.stat().st_size
    with database.open("r+b") as file:
        file.write(b"\xa5" * size)
    recorder.shutdown()
    recorder = recorder_on(database)
    put(recorder, opened, closed, range(50, 52))
    assert recorder.state().state == "corrupt"
    assert recorder.state().rows_waiting == 2


def test_a_schema_from_the_future_is_left_alone(database: Path, opened: Opened, closed: Closed) -> None:
    recorder = recorder_on(database)
    put(recorder, opened, closed, range(1))
    connection = apsw.Connection(str(database))
    connection.execute("PRAGMA user_version = 999")
    recorder.tick(1.0)
    assert recorder.state().state == "newer_schema"
    put(recorder, opened, closed, range(1, 3))
    recorder.tick(2.0)
    assert (recorder.state().state, recorder.state().rows_waiting) == ("newer_schema", 2)
    assert connection.execute("SELECT count(*) FROM exchanges").fetchall() == [(1,)]
    connection.execute("PRAGMA user_version = " + str(len(MIGRATIONS)))
    recorder.tick(3.0)
    assert (recorder.state().state, recorder.state().rows_waiting) == ("ok", 0)


def test_a_ring_that_is_full_counts_what_it_loses_and_keeps_the_order(
    database: Path, opened: Opened, closed: Closed, lock_elsewhere: Lock
) -> None:
    recorder_on(database).shutdown()
    release = lock_elsewhere(database)
    recorder = recorder_on(database, ring_rows=10)
    put(recorder, opened, closed, range(25))
    assert (recorder.state().rows_waiting, recorder.state().rows_lost) == (10, 15)
    release()
    recorder.tick(1.0)
    assert ids(database) == [f"r{number:08d}" for number in range(10)]
    assert recorder.state().rows_lost == 15, "a loss stays visible"


def test_a_close_takes_the_place_of_its_open_in_the_ring(
    database: Path, opened: Opened, closed: Closed, lock_elsewhere: Lock
) -> None:
    recorder_on(database).shutdown()
    release = lock_elsewhere(database)
    recorder = recorder_on(database)
    first, second = opened(1), opened(2)
    recorder.open(first, None)
    recorder.open(second, None)
    recorder.close(closed(first))
    assert recorder.state().rows_waiting == 2
    release()
    recorder.tick(1.0)
    assert ids(database) == [first.id]
    still_open = trace(database, second.id)
    assert still_open is not None
    assert still_open.outcome is None
    recorder.close(closed(second))
    assert ids(database) == [first.id, second.id]


def test_a_pin_made_in_an_outage_is_remembered_and_saved_afterwards(
    database: Path, opened: Opened, lock_elsewhere: Lock
) -> None:
    recorder_on(database).shutdown()
    release = lock_elsewhere(database)
    recorder = recorder_on(database)
    pin = Pin(conversation="c", mode="strict", epoch=0, created_unix_ms=5)
    recorder.open(opened(), pin)
    assert recorder.load_pin("c", 0) == pin
    release()
    recorder.tick(1.0)
    assert recorder_on(database).load_pin("c", 0) == pin


def would_save(database: Path) -> dict[str, tuple[int | None, int | None]]:
    views = [explain(database, name) for name in ids(database)]
    return {view.id: (view.would_save_tokens, view.would_save_milli_units) for view in views if view is not None}


def test_what_would_have_been_saved_is_added_to_the_closed_row(database: Path, opened: Opened, closed: Closed) -> None:
    recorder = recorder_on(database)
    put(recorder, opened, closed, range(3))
    recorder.note_would_save(RequestId("r00000001"), 120, -7)
    recorder.note_would_save(RequestId("r00000002"), 0, None)
    recorder.note_would_save(RequestId("nobody"), 5, 5)
    assert would_save(database) == {"r00000000": (None, None), "r00000001": (120, -7), "r00000002": (0, None)}
    for now_s in (1.0, 2.0):
        recorder.tick(now_s)
    assert recorder._would_save == {}, "what finds no row is dropped"


def test_a_note_waits_for_its_row_and_never_for_long(
    database: Path, opened: Opened, closed: Closed, lock_elsewhere: Lock
) -> None:
    recorder_on(database).shutdown()
    release = lock_elsewhere(database)
    recorder = recorder_on(database)
    put(recorder, opened, closed, range(700))
    started = time.monotonic()
    for number in range(700):
        recorder.note_would_save(RequestId(f"r{number:08d}"), number, 2**70 if number == 5 else number)
    assert time.monotonic() - started < 0.2
    release()
    while recorder.state().rows_waiting or recorder._would_save:
        recorder.tick(1.0)
    found = would_save(database)
    assert [found[f"r{number:08d}"] for number in (4, 5, 699)] == [(4, 4), (5, None), (699, 699)]
    late = opened(2000)
    recorder.open(late, None)
    recorder.note_would_save(late.id, 3, 4)
    recorder.close(closed(late))
    recorder.tick(2.0)
    found_late = explain(database, late.id)
    assert found_late is not None
    assert found_late.would_save_tokens == 3, "a note may come a moment before its close"


def test_a_lock_costs_a_note_one_wait_and_does_not_lose_it(
    database: Path, opened: Opened, closed: Closed, lock_elsewhere: Lock
) -> None:
    recorder = recorder_on(database)
    row = opened(1)
    recorder.open(row, None)
    recorder.close(closed(row))
    checkpoint(database, truncate=True)
    blocker = apsw.Connection(str(database))
    blocker.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    recorder.note_would_save(row.id, 9, 9)
    recorder.note_would_save(row.id, 9, 9)
    assert time.monotonic() - started < 0.4, "one wait of 45 ms, whatever else runs here"
    assert recorder.state().state == "locked"
    blocker.execute("ROLLBACK")
    recorder.tick(1.0)
    assert would_save(database) == {row.id: (9, 9)}


def test_a_mask_that_the_store_does_not_take_is_not_raised_anywhere(database: Path, opened: Opened) -> None:
    recorder = recorder_on(database)
    pin = Pin(conversation="c", mode="hybrid", epoch=1, created_unix_ms=5)
    recorder.open(opened(1), pin)
    checkpoint(database, truncate=True)
    blocker = apsw.Connection(str(database))
    blocker.execute("BEGIN IMMEDIATE")
    assert not recorder.raise_mask("c", 1, 3)
    assert recorder.state().state == "locked"
    late = Pin(conversation="late", mode="hybrid", epoch=1, created_unix_ms=5)
    recorder.open(opened(2), late)
    assert not recorder.raise_mask("late", 1, 3), "nor while its pin waits for the store"
    blocker.execute("ROLLBACK")
    recorder.tick(1.0)
    for one in (recorder, recorder_on(database)):
        assert (one.load_pin("c", 1, fresh=True), one.load_pin("late", 1, fresh=True)) == (pin, late)
    assert recorder.raise_mask("c", 1, 3)
    assert recorder_on(database).load_pin("c", 1) == msgspec.structs.replace(pin, masked_spans=3)


def test_a_raised_mask_is_in_the_store_at_once_and_other_workers_find_it(database: Path, opened: Opened) -> None:
    recorder, other = recorder_on(database), recorder_on(database)
    recorder.open(opened(1), Pin(conversation="c", mode="hybrid", epoch=1, created_unix_ms=5))
    before = other.load_pin("c", 1)
    assert recorder.raise_mask("c", 1, 8)
    assert not recorder.raise_mask("c", 1, 2), "never lower"
    assert not recorder.raise_mask("c", 2, 9), "not in another epoch"
    assert not recorder.raise_mask("unknown", 1, 2)
    raised = recorder.load_pin("c", 1)
    assert before is not None
    assert raised is not None
    assert (before.masked_spans, raised.masked_spans) == (0, 8)
    assert other.load_pin("c", 1, fresh=True) == raised
    assert other.load_pin("c", 1) == raised
    assert recorder_on(database).load_pin("c", 1) == raised
    assert recorder.load_pin("unknown", 0) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"path": "/v1/\udcff"},
        {"model": "m\ud800"},
        {"saved_tokens": 2**70},
        {"bytes_sent": None},
        {"prefix_break": "\ud800"},
        {"span_notes": (SpanNote(1, "k\ud800", "s", 1, 1, 1, 1, "\udc00", "w"),)},
    ],
    ids=["surrogate path", "surrogate model", "number past 64 bits", "missing number", "surrogate cause", "notes"],
)
def test_a_row_that_no_table_takes_never_raises_and_never_blocks_the_others(
    database: Path, opened: Opened, closed: Closed, changes: dict[str, object]
) -> None:
    recorder = recorder_on(database)
    odd = opened(1, **changes)
    recorder.open(odd, None)
    recorder.close(closed(odd))
    put(recorder, opened, closed, range(2, 4))
    recorder.tick(1.0)
    assert (recorder.state().state, recorder.state().rows_waiting) == ("ok", 0)
    assert set(ids(database)) >= {"r00000002", "r00000003"}
    assert len(ids(database)) + recorder.state().rows_lost == 3


FULL = """
import json, os, sys
from pathlib import Path
from tests.tokenpakd.storage.conftest import make_opened, make_closed
from tokenpakd.storage.recorder import Recorder
from tokenpakd.storage.custody import checkpoint
from tokenpakd.storage.reading import recent
from tokenpakd.storage.custody import tend
database = Path(sys.argv[1]) / "telemetry.db"
recorder = Recorder(database, boot_id="b", worker="w")
def put(numbers):
    for number in numbers:
        row = make_opened(number)
        recorder.open(row, None)
        recorder.close(make_closed(row))
put(range(10))
filler = Path(sys.argv[1]) / "filler"
written = 0
with open(filler, "wb", buffering=0) as file:
    try:
        while True:
            written += file.write(bytes(4096))
    except OSError:
        pass
put(range(10, 300))
full = recorder.state()
recorder.tick(1.0)
still = recorder.state()
tended = tend(database, [still.state])
filler.unlink()
recorder.tick(2.0)
after = recorder.state()
put(range(300, 310))
print(json.dumps({
    "written": written, "full": full.state, "waiting": full.rows_waiting, "still": still.state, "after": after.state,
    "left": after.rows_waiting, "lost": after.rows_lost, "tended": tended.state,
    "rows": len(recent(database, limit=1000)),
}))
"""


def test_a_full_disk_is_named_and_every_row_is_there_when_space_returns(
    on_a_small_disk: Callable[[str, int], dict[str, object]],
) -> None:
    found = on_a_small_disk(FULL, 2048)
    assert found["written"]
    assert (found["full"], found["still"]) == ("full", "full")
    assert found["waiting"]
    assert (found["after"], found["left"], found["lost"], found["rows"]) == ("ok", 0, 0, 310)


def test_ballast_goes_overboard_when_the_disk_is_full(
    database: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = recorder_on(database)
    ballast_of(database).write_bytes(b"weight")
    connection = apsw.Connection(str(database))
    pages = connection.execute("PRAGMA page_count").fetchall()[0][0]
    connection.close()
    assert recorder._connection is not None
    recorder._connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()
    for number in itertools.count(1):
        recorder.open(opened(number, path="/" + "x" * 3000), None)
        if recorder.state().state != "ok":
            break
    assert recorder.state().state == "full"
    recorder.tick(1.0)
    assert not ballast_of(database).exists()
    assert recorder.state().rows_waiting == 0


READ_ONLY = """
import json, subprocess, sys
from pathlib import Path
from tests.tokenpakd.storage.conftest import make_opened, make_closed
from tokenpakd.storage.recorder import Recorder
from tokenpakd.storage.custody import checkpoint
from tokenpakd.storage.reading import recent
folder = Path(sys.argv[1])
database = folder / "telemetry.db"
recorder = Recorder(database, boot_id="b", worker="w")
def put(numbers):
    for number in numbers:
        row = make_opened(number)
        recorder.open(row, None)
        recorder.close(make_closed(row))
put(range(3))
recorder.shutdown()
subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
recorder = Recorder(database, boot_id="b", worker="w")
put(range(3, 6))
recorder.tick(1.0)
during = recorder.state()
subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
recorder.tick(2.0)
print(json.dumps({"during": during.state, "waiting": during.rows_waiting, "after": recorder.state().state,
                  "rows": len(recent(database, limit=10))}))
"""


def test_a_read_only_disk_is_named_and_recovers(on_a_small_disk: Callable[[str, int], dict[str, object]]) -> None:
    found = on_a_small_disk(READ_ONLY, 2048)
    assert found == {"during": "read_only", "waiting": 3, "after": "ok", "rows": 6}


WRITER = """
import sys
from pathlib import Path
from tests.tokenpakd.storage.conftest import make_opened, make_closed
from tokenpakd.storage.recorder import Recorder
recorder = Recorder(Path(sys.argv[1]), boot_id="boot-1", worker="data-1")
number = int(sys.argv[2])
while True:
    row = make_opened(number)
    recorder.open(row, None)
    recorder.close(make_closed(row))
    sys.stdout.write(row.id + "\\n")
    sys.stdout.flush()
    number += 1
"""


def test_kill_minus_nine_loses_no_acknowledged_row(database: Path) -> None:
    acknowledged: list[str] = []
    for round_number in range(5):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(database), str(round_number * 100_000)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert child.stdout is not None
        # A different place in the statement each time: after an odd number of acknowledged rows.
        said = [child.stdout.readline().strip() for _ in range(37 + 53 * round_number)]
        os.kill(child.pid, signal.SIGKILL)
        said += [line.strip() for line in child.stdout if line.endswith("\n")]
        child.wait()
        child.stdout.close()
        acknowledged += said
    connection = apsw.Connection(str(database))
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    stored = {str(row[0]) for row in connection.execute("SELECT id FROM exchanges")}
    assert len(acknowledged) > 500
    assert set(acknowledged) <= stored
