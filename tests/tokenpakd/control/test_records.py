"""The store as the verbs read it; reading itself is tested where the store is."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import trio

from tests.tokenpakd.control.daemon_double import DaemonDouble
from tests.tokenpakd.storage.conftest import make_closed, make_opened
from tokenpakd.control import records
from tokenpakd.control.dispatch import VerbFailed
from tokenpakd.storage import migrations
from tokenpakd.storage.connection import open_writer
from tokenpakd.storage.recorder import Recorder


@pytest.fixture
def daemon(tmp_path: Path) -> DaemonDouble:
    return DaemonDouble(tmp_path)


def _record(daemon: DaemonDouble, *numbers: int) -> None:
    database = Path(daemon.database)
    connection = open_writer(database, busy_ms=100)
    migrations.migrate(connection, backup=None)
    connection.close()
    recorder = Recorder(database, boot_id=daemon.boot_id, worker="w")
    for number in numbers:
        opened = make_opened(number, boot_id=daemon.boot_id, at_unix_ms=round(time.time() * 1000))
        recorder.open(opened, None)
        recorder.close(make_closed(opened))


async def test_recent_is_newest_first_and_after_a_key_in_the_order_of_closing(daemon: DaemonDouble) -> None:
    _record(daemon, 1, 2, 3)
    newest = await records.recent(daemon, limit=2)
    assert [one.id for one in newest] == ["r00000003", "r00000002"]
    [first] = (await records.recent(daemon, limit=3))[2:]
    assert [one.id for one in await records.recent(daemon, limit=5, after_key=first.key)] == ["r00000002", "r00000003"]


async def test_trace_is_one_exchange_or_none(daemon: DaemonDouble) -> None:
    _record(daemon, 1)
    found = await records.trace(daemon, "r00000001")
    assert found is not None
    assert [room.room for room in found.rooms] == ["guard", "compress"]
    assert await records.trace(daemon, "r00000002") is None


async def test_stats_are_of_this_run_and_of_this_day(daemon: DaemonDouble) -> None:
    _record(daemon, 1, 2)
    daemon.boot_id = "another"
    found = await records.stats(daemon)
    assert (found.session.requests, found.today.requests, found.all_time.requests) == (0, 2, 2)


def _database_of(daemon: DaemonDouble, content: bytes | None) -> Path:
    database = Path(daemon.database)
    if content is not None:
        database.write_bytes(content)
    return database


@pytest.mark.parametrize(
    "ask", [records.stats, lambda daemon: records.recent(daemon, limit=1), lambda daemon: records.trace(daemon, "r")]
)
@pytest.mark.parametrize("content", [None, b"no database at all, but long enough to have a header " * 10])
async def test_a_store_that_cannot_be_read_is_an_answer_that_reassures(
    daemon: DaemonDouble, ask: Callable[[DaemonDouble], object], content: bytes | None
) -> None:
    database = _database_of(daemon, content)
    with pytest.raises(VerbFailed, match="the telemetry store cannot be read") as failure:
        await ask(daemon)  # type: ignore[misc]
    assert "Requests are served all the same" in str(failure.value.hint)
    assert content == (database.read_bytes() if content else None)


async def test_a_slow_disk_takes_only_its_own_few_threads(
    daemon: DaemonDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[float] = []
    let_go = trio.Event()

    async def in_thread(ask: object, database: object, *, limiter: trio.CapacityLimiter) -> None:
        async with limiter:
            begun.append(trio.current_time())
            await let_go.wait()

    monkeypatch.setattr("tokenpakd.control.records.trio.to_thread.run_sync", in_thread)
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(records.trace, daemon, "r")
        await trio.testing.wait_all_tasks_blocked()
        assert len(begun) == 4
        let_go.set()
    assert len(begun) == 20


@pytest.fixture
def in_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    def go(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield go
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("UTC", "2026-01-15"),
        ("Europe/Berlin", "2026-03-29"),  # 23 hours
        ("Europe/Berlin", "2026-10-25"),  # 25 hours
        ("America/Los_Angeles", "2026-11-01"),
        ("Asia/Kolkata", "2026-06-01"),
    ],
)
@pytest.mark.parametrize("hour", [0, 1, 3, 12, 23])
def test_a_day_begins_at_local_midnight(in_zone: Callable[[str], None], zone: str, day: str, hour: int) -> None:
    in_zone(zone)
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    now = midnight.replace(hour=hour, minute=59, second=59)
    assert records._day_start_unix_ms(now.timestamp() + 0.5) == midnight.timestamp() * 1000
