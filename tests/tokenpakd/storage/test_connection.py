from pathlib import Path

import apsw
import pytest

from tokenpakd.storage import connection as storage
from tokenpakd.storage.connection import StorageError, open_reader, open_writer


def test_a_writer_keeps_the_rules_of_the_file(database: Path) -> None:
    connection = open_writer(database, busy_ms=10)
    found = {
        name: connection.execute("PRAGMA " + name).fetchall()[0][0]
        for name in ("journal_mode", "synchronous", "wal_autocheckpoint", "journal_size_limit", "trusted_schema")
    }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 1,
        "wal_autocheckpoint": 0,
        "journal_size_limit": storage.JOURNAL_SIZE_LIMIT_BYTES,
        "trusted_schema": 0,
    }
    assert (database.stat().st_mode & 0o777, database.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_closing_the_last_connection_leaves_the_log(database: Path) -> None:
    connection = open_writer(database, busy_ms=10)
    connection.execute("CREATE TABLE t (x)")
    storage.close_quietly(connection)
    storage.close_quietly(connection)
    assert database.with_name("telemetry.db-wal").stat().st_size > 0
    assert open_reader(database, busy_ms=10).execute("SELECT count(*) FROM t").fetchall() == [(0,)]


def test_a_linked_folder_is_followed_and_a_linked_file_is_not(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    open_writer(tmp_path / "link" / "telemetry.db", busy_ms=10)
    assert (real / "telemetry.db").exists()
    (tmp_path / "telemetry.db").symlink_to(real / "telemetry.db")
    for opening in (open_writer, open_reader):
        with pytest.raises(StorageError):
            opening(tmp_path / "telemetry.db", busy_ms=10)


def test_neither_a_reader_nor_a_careful_writer_creates(database: Path) -> None:
    with pytest.raises(StorageError) as unread:
        open_reader(database, busy_ms=10)
    with pytest.raises(StorageError) as unwritten:
        open_writer(database, busy_ms=10, create=False)
    assert (unread.value.state, unwritten.value.state) == ("missing", "missing")
    assert not database.parent.exists()


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (apsw.FullError(), "full"),
        (apsw.BusyError(), "locked"),
        (apsw.LockedError(), "locked"),
        (apsw.ReadOnlyError(), "read_only"),
        (PermissionError(), "read_only"),
        (apsw.CorruptError(), "corrupt"),
        (apsw.NotADBError(), "corrupt"),
        (apsw.CantOpenError(), "missing"),
        (apsw.SQLError(), "error"),
    ],
)
def test_an_error_names_a_state(database: Path, error: apsw.Error | OSError, state: str) -> None:
    assert storage.failure(error, database).state == state


def test_an_input_output_error_on_a_full_disk_is_a_full_disk(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_writer(database, busy_ms=10)
    assert storage.failure(apsw.IOError(), database).state == "error"
    monkeypatch.setattr(storage, "FULL_BELOW_BYTES", 2**62)
    assert storage.failure(apsw.IOError(), database).state == "full"


def test_a_library_that_corrupts_is_refused(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.40.1")
    with pytest.raises(StorageError, match=r"3\.40\.1"):
        open_writer(database, busy_ms=10)
