import hashlib
import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from tokenpakd.exchange.row import Pin
from tokenpakd.storage.connection import NewerSchema, close_quietly, open_writer
from tokenpakd.storage.custody import mark_stale_boots
from tokenpakd.storage.migrations import MIGRATIONS, migrate, version_of
from tokenpakd.storage.recorder import Recorder

ROOT = Path(__file__).resolve().parents[3]
SECOND = "ALTER TABLE exchanges ADD COLUMN cost_nanousd INTEGER; CREATE TABLE later (id INTEGER PRIMARY KEY);"
KEEP = "INSERT INTO pins (conversation, mode, epoch, created_unix_ms) VALUES ('c', 'strict', 0, 1)"
RELEASED = ("6c311984", "cc16177f")
"""The beginning of each released migration's SHA-256: files out there have seen exactly these."""

V1_OPENED = (
    "'r1', 1700000000000, 'boot-0', 'data-1', '/v1/messages', 'anthropic_messages', 'anthropic', 'claude-x', 1, 0,"
    " 'hybrid', 'c0ffee', 'claude-code', 1000, 800, 50, NULL, 2"
)


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


def test_released_migrations_stay_as_they_are() -> None:
    digests = [hashlib.sha256(step.encode()).hexdigest()[:8] for step in MIGRATIONS]
    assert digests[: len(RELEASED)] == list(RELEASED)


def test_rows_and_pins_of_version_1_say_afterwards_what_held_then(database: Path) -> None:
    connection = open_writer(database, busy_ms=100)
    migrate(connection, backup=None, steps=MIGRATIONS[:1])
    connection.execute(KEEP)
    connection.execute(f"INSERT INTO exchanges VALUES (7, {V1_OPENED}, 'ok', 200, 200" + ", NULL" * 9 + ",1,0,9,1,2,3"
                       ", NULL, NULL, '[]')")  # fmt: skip
    connection.execute(f"INSERT INTO in_flight VALUES ({V1_OPENED.replace('r1', 'r2')})")
    migrate(connection, backup=None)
    recorder = Recorder(database, boot_id="boot-1", worker="data-1")
    assert recorder.load_pin("c", 0) == Pin(
        conversation="c", mode="strict", epoch=0, created_unix_ms=1, compressors="repeats-1", tokenizer="estimate-1",
        arm="on", min_cacheable_tokens=1024, masked_spans=0,
    )  # fmt: skip
    columns = (
        "id, saved_tokens, arm, compressors, tokenizer, removed_known_tokens, saved_milli_units, prefix_break,"
        " known_spans, known_replaced, span_notes"
    )
    held = (50, "off", "", "estimate-1", 0, None, None, 0, 0, "[]")
    assert connection.execute(f"SELECT {columns} FROM in_flight").fetchall() == [("r2", *held)]
    assert mark_stale_boots(database, "boot-1") == 1
    both = f"SELECT {columns}, would_save_tokens, would_save_milli_units FROM exchanges ORDER BY seq"
    assert connection.execute(both).fetchall() == [("r1", *held, None, None), ("r2", *held, None, None)]


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
