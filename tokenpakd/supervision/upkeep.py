"""Care for the telemetry store while workers write to it. Each call runs in a thread, bounded; nothing waits for it.

One thread at a time: a call that hangs on a dead disk is given up on, and the next ones wait for its thread, not we.
"""

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import trio

from tokenpakd.exchange.row import TelemetryState
from tokenpakd.ipc.worker_api import Heartbeat

START_S = 10.0
CALL_S = 5.0
TEND_EVERY_S = 2.0
IDLE_S = 10.0
PRUNE_EVERY_S = 86_400.0
KEEP_DAYS = 400  # a year to compare with, and a month of grace

Result = TypeVar("Result")
log = logging.getLogger(__name__)


class Custody(Protocol):
    """What the store offers to the one who looks after it; `storage.custody` is it."""

    def prepare(self, database: Path) -> TelemetryState: ...
    def tend(self, database: Path, reported: Iterable[str]) -> TelemetryState: ...
    def care_for_log(self, database: Path, *, is_quiet: bool) -> bool: ...
    def mark_crashed(self, database: Path, boot_id: str, worker: str) -> int | None: ...
    def mark_stale_boots(self, database: Path, boot_id: str) -> int | None: ...
    def newest_epoch(self, database: Path) -> int | None: ...
    def forget_pins(self, database: Path, *, before_epoch: int) -> int | None: ...
    def prune(self, database: Path, *, older_than_unix_ms: int) -> int: ...


class Upkeep:
    """Looks after one database. `custody` does the work; this decides when, and never raises."""

    def __init__(self, custody: Custody, database: Path, boot_id: str) -> None:
        self._custody = custody
        self._database = database
        self._boot_id = boot_id
        self._one_thread = trio.CapacityLimiter(1)
        self._tended_at = -math.inf
        self._busy_at = -math.inf
        self._pruned_at = -math.inf
        self._is_truncated = True
        self._retried_at = -math.inf
        self._unmarked: dict[str, Callable[[], int | None]] = {}
        self._forget_before = 0  # epoch whose forerunners are still to be deleted; 0 for none

    async def prepare(self) -> None:
        """Create, migrate or set aside and replace the store, and close the rows of daemons that were killed."""
        state = await self._call("prepare", partial(self._custody.prepare, self._database), START_S)
        if state is not None and state.state != "ok":
            log.warning("telemetry_not_ok", extra={"state": state.state, "database": str(self._database)})
        work = partial(self._custody.mark_stale_boots, self._database, self._boot_id)
        await self._mark("of an earlier daemon", work)

    async def mark_crashed(self, worker: str) -> None:
        """Close the rows that a dead worker left open; where that fails, `tick` tries again until it is done."""
        await self._mark(worker, partial(self._custody.mark_crashed, self._database, self._boot_id, worker))

    async def newest_epoch(self) -> int | None:
        """Yield the highest epoch of any stored pin; None where the store cannot tell."""
        return await self._call("newest_epoch", partial(self._custody.newest_epoch, self._database))

    async def forget_pins(self, epoch: int) -> int:
        """Let every conversation take the daemon's mode again; yield the epoch that pins must have from now on.

        It is above `epoch` and above every stored one, so workers forget even where the store cannot be written.
        """
        stored = await self.newest_epoch()
        # Where the store cannot tell, the clock is above anything that was ever counted up.
        fresh = max(epoch + 1, time.time_ns() // 1_000_000 if stored is None else stored + 1)
        self._forget_before = fresh
        await self._forget()
        return fresh

    async def tick(self, heartbeats: Mapping[str, Heartbeat], *, is_idle: bool) -> None:
        """Do what is due; call it about once a second."""
        now = trio.current_time()
        if not is_idle:
            self._busy_at, self._is_truncated = now, False
        if (self._unmarked or self._forget_before) and now - self._retried_at >= TEND_EVERY_S:
            self._retried_at = now
            await self._retry()
        reported = {beat.telemetry.state for beat in heartbeats.values()} - {"ok"}
        if not self._database.exists():
            reported.add("missing")
        if reported:
            if now - self._tended_at >= TEND_EVERY_S:
                self._tended_at = now
                await self._call("tend", partial(self._custody.tend, self._database, reported))
            return
        is_quiet = not self._is_truncated and now - self._busy_at >= IDLE_S
        care = partial(self._custody.care_for_log, self._database, is_quiet=is_quiet)
        if await self._call("care_for_log", care) and is_quiet:
            self._is_truncated = True
        if is_idle and now - self._pruned_at >= PRUNE_EVERY_S:
            self._pruned_at = now
            older_than_unix_ms = int((time.time() - KEEP_DAYS * 86_400) * 1000)
            work = partial(self._custody.prune, self._database, older_than_unix_ms=older_than_unix_ms)
            await self._call("prune", work)

    async def _retry(self) -> None:
        for worker, work in list(self._unmarked.items()):
            if not await self._mark(worker, work):
                return
        if self._forget_before:
            await self._forget()

    async def _mark(self, worker: str, work: Callable[[], int | None]) -> bool:
        self._unmarked[worker] = work
        count = await self._call("mark_crashed", work)
        if count is None:
            return False
        self._unmarked.pop(worker, None)
        if count:
            log.warning("rows_crashed", extra={"worker": worker, "rows": count})
        return True

    async def _forget(self) -> None:
        before_epoch = self._forget_before
        work = partial(self._custody.forget_pins, self._database, before_epoch=before_epoch)
        if await self._call("forget_pins", work) is not None and self._forget_before == before_epoch:
            self._forget_before = 0

    async def _call(self, name: str, work: Callable[[], Result], deadline_s: float = CALL_S) -> Result | None:
        try:
            with trio.fail_after(deadline_s):
                # Abandoned, not cancelled: SQLite's own transactions make a late end harmless.
                return await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._one_thread)
        except trio.TooSlowError:
            log.warning("telemetry_slow", extra={"call": name, "deadline_s": deadline_s})
        except Exception as error:  # noqa: BLE001 - the store may fail in any way; the relay goes on
            log.warning("telemetry_failed", extra={"call": name, "reason": f"{type(error).__name__}: {error}"})
        return None
