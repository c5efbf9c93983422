"""Door: the telemetry store as the control verbs read it, in threads of their own."""

import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

import msgspec
import trio

from tokenpakd.config.cache_terms import CacheTermsBook, load
from tokenpakd.control.daemon import Daemon
from tokenpakd.control.dispatch import VerbFailed
from tokenpakd.exchange.savings import InputWeights, SavingsBy, SavingsGroup, SavingsView
from tokenpakd.exchange.views import ExchangeView, ExplainView, Stats, Totals, TraceView
from tokenpakd.storage import explaining, reading, totals
from tokenpakd.storage import savings as sums
from tokenpakd.storage.connection import StorageError

Found = TypeVar("Found")

# Operators are few; a slow disk must not take the supervisor's other threads.
_READERS_MAX = 4
_readers: trio.lowlevel.RunVar[trio.CapacityLimiter] = trio.lowlevel.RunVar("control_readers")


async def stats(daemon: Daemon) -> Stats:
    """Yield the sums of this run, of the local day and of all time.

    Raises:
      VerbFailed: the store cannot be read.
    """
    boot_id, day_start_unix_ms = daemon.boot_id, _day_start_unix_ms(time.time())
    return await _read(
        daemon, lambda database: totals.stats(database, boot_id=boot_id, day_start_unix_ms=day_start_unix_ms)
    )


async def today(daemon: Daemon) -> Totals:
    """Yield the sums of the local day alone; costs what was recorded today, not all there is.

    Raises:
      VerbFailed: the store cannot be read.
    """
    day_start_unix_ms = _day_start_unix_ms(time.time())
    return await _read(daemon, lambda database: totals.today(database, day_start_unix_ms=day_start_unix_ms))


async def recent(daemon: Daemon, *, limit: int, after_key: int | None = None) -> tuple[ExchangeView, ...]:
    """Yield exchanges, newest first; with `after_key` those that closed since, oldest first.

    Raises:
      VerbFailed: the store cannot be read.
    """
    return await _read(daemon, lambda database: reading.recent(database, limit=limit, after_key=after_key))


async def trace(daemon: Daemon, request_id: str) -> TraceView | None:
    """Yield what is on record about one exchange; None when nothing is.

    Raises:
      VerbFailed: the store cannot be read.
    """
    return await _read(daemon, lambda database: reading.trace(database, request_id))


async def explain(daemon: Daemon, request_id: str) -> ExplainView | None:
    """Yield what compression did to one exchange; None when nothing is on record.

    Raises:
      VerbFailed: the store cannot be read.
    """
    return await _read(daemon, lambda database: explaining.explain(database, request_id))


@cache
def cache_terms() -> CacheTermsBook:
    """Yield what providers' caches cost; read from the package once."""
    return load()


async def savings(
    daemon: Daemon,
    *,
    since_unix_ms: int,
    by: SavingsBy | None,
    weights_of: Callable[[str | None, str], InputWeights | None],
) -> tuple[SavingsView, tuple[SavingsGroup, ...]]:
    """Yield the sums of what arrived since then, in groups where asked for, and once more by model.

    Raises:
      VerbFailed: the store cannot be read.
    """

    def ask(database: Path) -> tuple[SavingsView, tuple[SavingsGroup, ...]]:
        asking = partial(sums.savings, database, since_unix_ms=since_unix_ms, weights_of=weights_of)
        by_model = asking(by=SavingsBy.MODEL)
        if by is SavingsBy.MODEL:
            return by_model, by_model.groups
        if by is None:
            return msgspec.structs.replace(by_model, by=None, groups=(), groups_left_out=0), by_model.groups
        return asking(by=by), by_model.groups

    return await _read(daemon, ask)


async def _read(daemon: Daemon, ask: Callable[[Path], Found]) -> Found:
    try:
        limiter = _readers.get()
    except LookupError:
        limiter = trio.CapacityLimiter(_READERS_MAX)
        _readers.set(limiter)
    database = Path(daemon.database)
    try:
        return await trio.to_thread.run_sync(ask, database, limiter=limiter)
    except StorageError as exc:
        message = f"the telemetry store cannot be read ({exc.state}): {exc.reason}"
        raise VerbFailed(message, hint="Run `tokenpakctl doctor`. Requests are served all the same.") from exc


def _day_start_unix_ms(now_unix_s: float) -> int:
    """Yield local midnight; on a day of 23 or 25 hours mktime finds it too."""
    day = time.localtime(now_unix_s)
    return round(time.mktime((day.tm_year, day.tm_mon, day.tm_mday, 0, 0, 0, 0, 0, -1)) * 1000)
