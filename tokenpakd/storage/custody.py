"""The supervisor's care for telemetry.db: migrate, checkpoint, mend, prune. Every function blocks; call it in a thread.

A database that cannot be read is set aside as `.corrupt-<ms>` with its log, never deleted. None of these functions
raises for what a disk or a file can do: they say in what state telemetry is.
"""

import contextlib
import time
from collections.abc import Iterable
from pathlib import Path

import apsw

from tokenpakd.exchange.row import Outcome, TelemetryState
from tokenpakd.storage import rows
from tokenpakd.storage.ballast import drop_ballast, take_ballast
from tokenpakd.storage.connection import (
    StorageError,
    close_quietly,
    failure,
    integer,
    open_reader,
    open_writer,
    statement,
)
from tokenpakd.storage.migrations import migrate, rewrite_version

BUSY_MS = 2000
TRUNCATE_BUSY_MS = 20
"""A truncating checkpoint holds the write lock while it waits for readers; writers give up after 45 ms."""

WAL_PASSIVE_BYTES = 4 * 1024 * 1024
WAL_TRUNCATE_BYTES = 64 * 1024 * 1024
PRUNE_ROWS = 500
SUFFIXES = ("-wal", "-shm", "")
"""The file goes last: while it is there no worker makes a new one, whose log would then be moved away."""

_CLOSE_OPEN = ("INSERT OR IGNORE INTO exchanges (", rows.OPEN_COLUMNS, ", outcome) SELECT", rows.OPEN_COLUMNS, ", ?")
_CLOSE_DEAD = statement(*_CLOSE_OPEN, "FROM in_flight WHERE boot_id = ? AND worker = ? ORDER BY at_unix_ms")
_CLOSE_STALE = statement(*_CLOSE_OPEN, "FROM in_flight WHERE boot_id <> ? ORDER BY at_unix_ms")
_PRUNE = (
    "DELETE FROM exchanges WHERE at_unix_ms < ? AND seq < (SELECT max(seq) FROM exchanges)"
    " AND seq IN (SELECT seq FROM exchanges ORDER BY seq LIMIT ?)"
)


def prepare(database: Path) -> TelemetryState:
    """Make the database ready for the workers: folder, file, schema, a sound start.

    A file that is no database, or a broken one, is set aside and a new one takes its place. A full disk loses its
    ballast first. Whatever the answer, the daemon may start: the relay does not need telemetry.
    """
    try:
        _open_migrated(database)
    except StorageError as exc:
        if exc.state == "full":
            drop_ballast(database)
        elif exc.state == "corrupt" or (exc.state == "error" and not _is_sound(database)):
            _set_aside(database)
        else:
            return exc.telemetry()
        try:
            _open_migrated(database)
        except StorageError as again:
            return again.telemetry()
    take_ballast(database)
    return TelemetryState()


def tend(database: Path, reported: Iterable[str]) -> TelemetryState:
    """Do what the states that workers reported call for; to be called every few seconds.

    `corrupt` is checked and the file set aside if it is, `missing` gives a new file, `full` frees the ballast and
    the log; otherwise the log is cared for.
    """
    states = set(reported)
    if "corrupt" in states and not _is_sound(database):
        _set_aside(database)
    if states & {"corrupt", "missing", "error"}:
        return prepare(database)
    if "full" in states:
        drop_ballast(database)
        checkpoint(database, truncate=True)
        return TelemetryState(state="full")
    care_for_log(database, is_quiet=False)
    return TelemetryState()


def care_for_log(database: Path, *, is_quiet: bool) -> bool:
    """Do what the log's size calls for; True where nothing is left to do.

    `is_quiet`: nobody has written for a while, so even a small log is emptied.
    """
    size_bytes = wal_bytes(database)
    if size_bytes > WAL_TRUNCATE_BYTES or (is_quiet and size_bytes > 0):
        return checkpoint(database, truncate=True)
    return size_bytes <= WAL_PASSIVE_BYTES or checkpoint(database, truncate=False)


def checkpoint(database: Path, *, truncate: bool) -> bool:
    """Move the log into the file; with `truncate`, empty the log as well. True where all of it went.

    A plain checkpoint disturbs nobody. A truncating one follows it, so that its own lock is short. After a whole one
    the log has begun anew.
    """
    try:
        connection = open_writer(database, busy_ms=TRUNCATE_BUSY_MS, create=False)
    except StorageError:
        return False
    try:
        in_log, moved = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        if truncate:
            in_log, moved = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        if in_log == moved:
            _begin_log(connection)
    except apsw.Error:
        return False
    finally:
        close_quietly(connection)
    return in_log == moved


def wal_bytes(database: Path) -> int:
    """Yield the size of the log; 0 where there is none."""
    try:
        return database.with_name(database.name + "-wal").stat().st_size
    except OSError:
        return 0


def mark_crashed(database: Path, boot_id: str, worker: str) -> int | None:
    """Close the open rows of a dead worker as `crashed` and yield their number; None where that failed."""
    return _write(database, _CLOSE_DEAD, (Outcome.CRASHED, boot_id, worker))


def mark_stale_boots(database: Path, boot_id: str) -> int | None:
    """Close what earlier daemons left open as `crashed` and yield the number; None where that failed.

    `boot_id` is the living one.
    """
    return _write(database, _CLOSE_STALE, (Outcome.CRASHED, boot_id))


def newest_epoch(database: Path) -> int | None:
    """Yield the highest epoch of any pin, 0 where there is none; None where the store cannot be read."""
    try:
        connection = open_reader(database, busy_ms=BUSY_MS)
    except StorageError:
        return None
    try:
        return integer(connection, "SELECT max(epoch) FROM pins")
    except apsw.Error:
        return None
    finally:
        close_quietly(connection)


def forget_pins(database: Path, *, before_epoch: int) -> int | None:
    """Forget every pin of an earlier epoch and yield their number; None where that failed."""
    return _write(database, "DELETE FROM pins WHERE epoch < ?", (before_epoch,))


def prune(database: Path, *, older_than_unix_ms: int) -> int:
    """Delete exchanges and pins that began before then and yield the number of exchanges.

    In small steps, oldest first, so that no writer waits long. The newest row always stays: the order of closing
    counts on from it.
    """
    deleted = 0
    while True:
        step = _write(database, _PRUNE, (older_than_unix_ms, PRUNE_ROWS)) or 0
        deleted += step
        if step == 0:
            break
    _write(database, "DELETE FROM pins WHERE created_unix_ms < ?", (older_than_unix_ms,))
    return deleted


def _write(database: Path, sql: str, bindings: tuple[str | int, ...]) -> int | None:
    try:
        connection = open_writer(database, busy_ms=BUSY_MS, create=False)
    except StorageError:
        return None
    try:
        connection.execute(sql, bindings)
        return connection.changes()
    except apsw.Error:
        return None
    finally:
        close_quietly(connection)


def _open_migrated(database: Path) -> None:
    connection = open_writer(database, busy_ms=BUSY_MS)
    try:
        migrate(connection, backup=database.with_name(database.name + ".before-migration"))
        integer(connection, "SELECT count(*) FROM (SELECT 1 FROM exchanges LIMIT 1)")
        _begin_log(connection)
    except (apsw.Error, OSError) as exc:
        raise failure(exc, database) from exc
    finally:
        close_quietly(connection)


def _begin_log(connection: apsw.Connection) -> None:
    """Pay here for the first write of a new log: SQLite syncs its header, 10 ms that would fall on a request.

    Without a limit to its size the file shrinks as well, so that its size tells what it holds.
    """
    with contextlib.suppress(apsw.Error):
        connection.execute("PRAGMA journal_size_limit = 0").fetchall()
        rewrite_version(connection)


def _is_sound(database: Path) -> bool:
    """Ask SQLite whether the file holds together; a file that cannot be asked for another reason counts as sound."""
    try:
        connection = open_writer(database, busy_ms=BUSY_MS, create=False)
    except StorageError as exc:
        return exc.state != "corrupt"
    try:
        return [str(row[0]) for row in connection.execute("PRAGMA quick_check(1)")] == ["ok"]
    except (apsw.CorruptError, apsw.NotADBError):
        return False
    except apsw.Error:
        return True
    finally:
        close_quietly(connection)


def _set_aside(database: Path) -> None:
    stamp = ".corrupt-" + str(time.time_ns() // 1_000_000)
    for suffix in SUFFIXES:
        path = database.with_name(database.name + suffix)
        with contextlib.suppress(OSError):
            path.rename(path.with_name(database.name + stamp + suffix))
