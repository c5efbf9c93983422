"""Door to SQLite: how telemetry.db is opened, and what its errors mean.

Rules of the file, all measured or learnt the hard way:
- WAL with synchronous=NORMAL: a commit costs microseconds and survives SIGKILL; power loss may take the newest rows.
- Nobody checkpoints on close. Closing would also unlink `-wal` by name, and when the file was replaced meanwhile,
  that is the new file's log. The supervisor checkpoints.
- No automatic checkpoints: they would stall the loop of whoever happens to commit.
- Never a symbolic link as the file itself, never wider than 0600.
"""

import contextlib
import os
from pathlib import Path

import apsw

from tokenpakd.exchange.row import TelemetryState

OLDEST_SQLITE = (3, 51, 3)
"""Older ones can corrupt a WAL that is reset while another connection writes."""

JOURNAL_SIZE_LIMIT_BYTES = 16 * 1024 * 1024
FULL_BELOW_BYTES = 256 * 1024


class StorageError(Exception):
    """The database cannot be used; `state` is one of TelemetryState's."""

    def __init__(self, state: str, reason: str) -> None:
        super().__init__(f"{state}: {reason}")
        self.state = state
        self.reason = reason

    def telemetry(self) -> TelemetryState:
        """Yield the health that this error means, with nothing waiting."""
        return TelemetryState(state=self.state)


class NewerSchema(StorageError):
    """The file was written by a newer version: it may be read, not written."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__("newer_schema", f"schema {found} is newer than {known}, the newest known here")


def open_writer(database: Path, *, busy_ms: int, create: bool = True) -> apsw.Connection:
    """Open for writing; with `create`, make folder (0700) and file (0600) where missing.

    Raises:
      StorageError: with the state that says why not.
    """
    require_library()
    try:
        if create:
            _create(database)
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOFOLLOW
        connection = apsw.Connection(str(_resolved(database)), flags=flags)
    except (apsw.Error, OSError) as exc:
        raise failure(exc, database) from exc
    try:
        _harden(connection, busy_ms)
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.execute("PRAGMA synchronous = NORMAL").fetchall()
        connection.execute("PRAGMA wal_autocheckpoint = 0").fetchall()
        connection.execute("PRAGMA journal_size_limit = " + str(JOURNAL_SIZE_LIMIT_BYTES)).fetchall()
        # A file of 0444 on a disk one may write opens without complaint and fails at the first commit: ask now.
        if connection.readonly("main"):
            raise StorageError("read_only", "the file may not be written")
    except apsw.Error as exc:
        close_quietly(connection)
        raise failure(exc, database) from exc
    except StorageError:
        close_quietly(connection)
        raise
    return connection


def open_reader(database: Path, *, busy_ms: int) -> apsw.Connection:
    """Open for reading only; nothing is created.

    Raises:
      StorageError: with the state that says why not.
    """
    require_library()
    try:
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_NOFOLLOW
        connection = apsw.Connection(str(_resolved(database)), flags=flags)
        _harden(connection, busy_ms)
        connection.execute("PRAGMA query_only = 1").fetchall()
    except (apsw.Error, OSError) as exc:
        raise failure(exc, database) from exc
    return connection


def statement(*parts: str) -> str:
    """Join constants into one statement; whatever is not a constant is bound, never joined in."""
    return " ".join(parts)


def integer(connection: apsw.Connection, sql: str, bindings: tuple[int | str, ...] = ()) -> int:
    """Yield the first column of the first row, which is a number; 0 for NULL or no row."""
    for (value,) in connection.execute(sql, bindings):
        if isinstance(value, int):
            return value
    return 0


def close_quietly(connection: apsw.Connection) -> None:
    """Close, whatever state the connection is in."""
    with contextlib.suppress(apsw.Error):
        connection.close(True)


def failure(exc: apsw.Error | OSError, database: Path) -> StorageError:
    """Name what an error means for telemetry. The reason holds no data of any row."""
    return StorageError(_state_of(exc, database), type(exc).__name__)


def require_library() -> None:
    """Refuse a SQLite that is known to corrupt.

    Raises:
      StorageError: `error`, naming the version.
    """
    version = apsw.sqlite_lib_version()
    if tuple(int(part) for part in version.split(".")) < OLDEST_SQLITE:
        raise StorageError("error", f"SQLite {version} is older than 3.51.3, which fixed a corruption")


def _state_of(exc: apsw.Error | OSError, database: Path) -> str:
    if isinstance(exc, apsw.FullError):
        return "full"
    if isinstance(exc, apsw.BusyError | apsw.LockedError):
        return "locked"
    if isinstance(exc, apsw.ReadOnlyError | apsw.PermissionsError | apsw.AuthError | PermissionError):
        return "read_only"
    if isinstance(exc, apsw.CorruptError | apsw.NotADBError):
        return "corrupt"
    if isinstance(exc, apsw.IOError | apsw.CantOpenError | OSError):
        # The shared-memory file of a full disk fails as an I/O error, a vanished file as one that cannot be opened.
        if not database.exists():
            return "full" if _is_full(database.parent) else "missing"
        if _is_full(database.parent):
            return "full"
        if not os.access(database, os.W_OK) or not os.access(database.parent, os.W_OK):
            return "read_only"
    return "error"


def _is_full(folder: Path) -> bool:
    try:
        disk = os.statvfs(folder)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < FULL_BELOW_BYTES


def _create(database: Path) -> None:
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        # Ours before SQLite's: it would be 0644, and -wal and -shm take the mode of the file.
        os.close(os.open(database, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))


def _resolved(database: Path) -> Path:
    # SQLITE_OPEN_NOFOLLOW refuses a link anywhere in the path; a linked home folder is fine, a linked file is not.
    return database.parent.resolve() / database.name


def _harden(connection: apsw.Connection, busy_ms: int) -> None:
    connection.set_busy_timeout(busy_ms)
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
