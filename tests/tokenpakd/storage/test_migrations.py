import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from tokenpakd.storage.connection import NewerSchema, close_quietly, open_writer
from tokenpakd.storage.migrations import MIGRATIONS, migrate, version_of

ROOT = Path(__file__).resolve().parents[3]
SECOND = "ALTER TABLE exchanges ADD COLUMN cost_nanousd INTEGER; CREATE TABLE later (id INTEGER PRIMARY KEY);"
KEEP = "INSERT INTO pins VALUES ('c', 'strict', 0, 1)"


def test_a_new_file_gets_every_migration_and_a_second_run_does_nothing(database: Path) -> None:
    connection = open_writer(database, busy_ms=100)
    assert migrate(connection, backup=None) == len(MIGRATIONS)
    before = connection.execute("SELECT sql FROM sqlite_schema").fetchall()
    assert migrate(connection, backup=None) == len(MIGRATIONS)
    assert connection.execute("SELECT sql FROM sqlite_schema").fetchall() == before


@pytest.mark.parametrize("start", range(1, len(MIGRATIONS) + 1))
def test_every_released_version_is_brought_up_to_date_with_its_rows(database: Path, start: int) -> None:
    connection = open_writer(database, busy_ms=100)
    migrate(connection, backup=None, steps=MIGRATIONS[:start])
    connection.execute(KEEP)
    assert migrate(connection, backup=None) == len(MIGRATIONS)
    assert connection.execute("SELECT mode FROM pins").fetchall() == [("strict",)]


def test_an_existing_file_is_copied_whole_before_it_is_changed(database: Path) -> None:
    connection = open_writer(database, busy_ms=100)
    migrate(connection, backup=None)
    connection.execute(KEEP)
    backup = database.with_name("copy")
    assert migrate(connection, backup=backup, steps=(*MIGRATIONS, SECOND)) == len(MIGRATIONS) + 1
    assert backup.stat().st_mode & 0o777 == 0o600
    copy = apsw.Connection(str(backup), flags=apsw.SQLITE_OPEN_READONLY)
    assert version_of(copy) == len(MIGRATIONS)
    assert copy.execute("SELECT mode FROM pins").fetchall() == [("strict",)]


def test_a_migration_that_fails_leaves_the_old_schema_whole(database: Path) -> None:
    connection = open_writer(database, busy_ms=100)
    migrate(connection, backup=None)
    broken = "CREATE TABLE half (id INTEGER); CREATE TABLE exchanges (id INTEGER);"
    with pytest.raises(apsw.SQLError):
        migrate(connection, backup=None, steps=(*MIGRATIONS, broken))
    assert version_of(connection) == len(MIGRATIONS)
    assert connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'half'").fetchall() == []
    assert not connection.in_transaction


def test_a_newer_file_is_refused_untouched(database: Path) -> None:
    connection = open_writer(database, busy_ms=100)
    migrate(connection, backup=None, steps=(*MIGRATIONS, SECOND))
    with pytest.raises(NewerSchema) as refused:
        migrate(connection, backup=None)
    assert refused.value.state == "newer_schema"
    assert version_of(connection) == len(MIGRATIONS) + 1


MIGRATE = """
import sys
from pathlib import Path
from tests.tokenpakd.storage.test_migrations import SECOND
from tokenpakd.storage.connection import open_writer
from tokenpakd.storage.migrations import MIGRATIONS, migrate
database = Path(sys.argv[1])
migrate(open_writer(database, busy_ms=5000), backup=None, steps=(*MIGRATIONS, SECOND))
"""


def test_two_processes_may_migrate_at_once(database: Path) -> None:
    connection = open_writer(database, busy_ms=100)
    migrate(connection, backup=None)
    connection.execute(KEEP)
    children = [subprocess.Popen([sys.executable, "-c", MIGRATE, str(database)], cwd=ROOT) for _ in range(4)]
    assert [child.wait(timeout=30) for child in children] == [0, 0, 0, 0]
    assert version_of(connection) == len(MIGRATIONS) + 1


HELD = """
import os, signal, sys
from pathlib import Path
from tests.tokenpakd.storage.test_migrations import SECOND
from tokenpakd.storage.connection import open_writer
from tokenpakd.storage.migrations import MIGRATIONS
connection = open_writer(Path(sys.argv[1]), busy_ms=5000)
left = int(sys.argv[2])
def step():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return False
connection.set_progress_handler(step, 1)
from tokenpakd.storage.migrations import migrate
migrate(connection, backup=None, steps=(*MIGRATIONS, SECOND))
"""


def test_a_kill_at_any_point_leaves_the_old_schema_or_the_new_one(database: Path) -> None:
    killed = 0
    for steps in (1, 10, 40, 90, 150, 250, 400):
        for path in database.parent.glob("*") if database.parent.exists() else ():
            path.unlink()
        connection = open_writer(database, busy_ms=100)
        migrate(connection, backup=None)
        connection.execute(KEEP)
        close_quietly(connection)
        done = subprocess.run([sys.executable, "-c", HELD, str(database), str(steps)], cwd=ROOT, check=False)
        killed += done.returncode == -signal.SIGKILL
        connection = open_writer(database, busy_ms=100)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        has_later = bool(connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'later'").fetchall())
        assert version_of(connection) == len(MIGRATIONS) + has_later
        assert connection.execute("SELECT mode FROM pins").fetchall() == [("strict",)]
        close_quietly(connection)
    assert killed >= 3, "the fault must really have happened"
