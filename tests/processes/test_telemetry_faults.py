"""Whatever happens to telemetry.db, requests are served, losses are counted and shown, and recording comes back."""

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.playbook.daemon import Running, start_daemon
from tests.playbook.raw_client import ask
from tests.playbook.scripted_provider import ScriptedProvider
from tests.playbook.traffic import eventually, message
from tokenpakd.storage.migrations import MIGRATIONS

NEWER = len(MIGRATIONS) + 1


@dataclass
class Bench:
    """A daemon with its telemetry store in a folder of the test's choice, and the ids of what it answered."""

    daemon: Running
    database: Path
    sent: list[str] = field(default_factory=list)

    def send(self, count: int = 3) -> list[str]:
        """Send requests that must be answered at once; return their ids."""
        ids = []
        for number in range(count):
            began_s = time.monotonic()
            body = message(stream=number % 2 == 0)
            reply = ask(self.daemon.port, "/v1/messages", method="POST", headers=[("x-api-key", "k")], body=body)
            assert reply.status == 200, reply.body[:300]
            assert time.monotonic() - began_s < 1
            ids.append(reply.header("x-tokenpak-request-id") or "")
        self.sent += ids
        return ids

    def telemetry(self) -> dict[str, Any]:
        """What /health says of the store."""
        found: dict[str, Any] = self.daemon.get_json("/health")["telemetry"]
        return found

    def is_recording(self) -> bool:
        state = self.telemetry()
        return bool(state["state"] == "ok" and state["rows_waiting"] == 0)

    def has_noticed(self, *states: str) -> bool:
        return self.telemetry()["state"] in states

    def recovers(self, *, keeps: list[str]) -> None:
        """Fail unless recording comes back by itself, those rows are there, and new ones arrive."""
        eventually(self.is_recording, f"recording again: {self.telemetry()}")
        keeps = keeps + self.send()
        recorded = self.recorded()
        assert [one for one in keeps if one not in recorded] == []
        eventually(lambda: self.status()["telemetry"]["state"] == "ok", "status says ok")
        assert self.daemon.get_json("/health")["status"] == "ok"

    def recorded(self) -> set[str]:
        """The ids that /recent lists as ended."""
        rows = self.daemon.get_json("/recent?limit=1000")["requests"]
        return {row["id"] for row in rows if row["outcome"] == "ok"}

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.daemon.control("status", "--json").stdout)
        return found

    def is_shown_everywhere(self, state: str) -> None:
        """Fail unless each place where one would look names the trouble and the rows that wait."""
        health = self.daemon.get_json("/health")
        waiting = health["telemetry"]["rows_waiting"]
        assert (health["status"], health["telemetry"]["state"]) == ("degraded", state)
        assert waiting > 0
        assert f"\ntokenpak_telemetry_rows_waiting {waiting}\n".encode() in self.daemon.get("/metrics")[1]
        eventually(lambda: self.status()["telemetry"]["rows_waiting"] == waiting, "status counts what waits")
        assert f"{state} · {waiting} rows waiting" in self.daemon.control("status").stdout
        doctor = self.daemon.control("doctor")
        assert (doctor.returncode, f"! recording: {state}, {waiting} rows waiting" in doctor.stdout) == (1, True)


@contextlib.contextmanager
def bench(tmp_path: Path, folder: Path | None = None) -> Iterator[Bench]:
    """Start a daemon whose store lies in `folder`."""
    database = (folder or tmp_path) / "telemetry.db"
    with ScriptedProvider() as provider:
        config = {"database": str(database)}
        with start_daemon(tmp_path, {"anthropic": provider.url}, config) as daemon:
            yield Bench(daemon, database)


@contextlib.contextmanager
def small_disk(tmp_path: Path, size: str = "2m") -> Iterator[Path]:
    """Mount a disk of that size; skip where that is not allowed."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(disk)]
    try:
        made = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("this system has no mount")
    if made.returncode:
        pytest.skip(f"a disk cannot be mounted here: {made.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)


def fill(disk: Path) -> Path:
    """Leave no byte free on a disk; return the file that does it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return filler


def all_of(database: Path) -> list[Path]:
    return [database.with_name(database.name + suffix) for suffix in ("", "-wal", "-shm")]


def is_set_aside(database: Path, content: bytes) -> bool:
    """Whether a file with this beginning was kept beside the database."""
    kept = [path for path in database.parent.glob("telemetry.db.corrupt-*") if not path.name.endswith(("-wal", "-shm"))]
    return any(path.read_bytes().startswith(content) for path in kept)


def test_a_store_that_is_deleted_while_it_is_written_is_made_anew(tmp_path: Path) -> None:
    with bench(tmp_path) as lab:
        lab.send()
        for path in all_of(lab.database):
            path.unlink()
        during = lab.send(6)
        lab.recovers(keeps=during)
        assert lab.status()["telemetry"]["rows_lost"] == 0


def test_a_store_that_is_overwritten_with_garbage_is_set_aside(tmp_path: Path) -> None:
    garbage = b"this is no database " * 4000
    with bench(tmp_path) as lab:
        lab.send()
        with contextlib.closing(apsw.Connection(str(lab.database))) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # else all of it is in the log still
        lab.database.write_bytes(garbage)
        eventually(lambda: bool(lab.send(1)) and is_set_aside(lab.database, b"this is no database"), "set aside")
        lab.recovers(keeps=[])


def test_a_store_of_a_newer_version_is_left_alone_until_it_is_taken_away(tmp_path: Path) -> None:
    with bench(tmp_path) as lab:
        lab.send()
        newer = tmp_path / "newer.db"
        with contextlib.closing(apsw.Connection(str(newer))) as connection:
            connection.execute(f"CREATE TABLE exchanges (id); PRAGMA user_version = {NEWER}")
        content = newer.read_bytes()
        for path in all_of(lab.database)[1:]:
            path.unlink()
        newer.replace(lab.database)
        during = lab.send(4)
        eventually(lambda: lab.has_noticed("newer_schema"), "the newer schema is noticed")
        during += lab.send(4)
        lab.is_shown_everywhere("newer_schema")
        assert lab.database.read_bytes()[100:] == content[100:]
        lab.database.rename(tmp_path / "kept.db")
        lab.recovers(keeps=during)


def test_a_locked_store_keeps_nobody_waiting(tmp_path: Path) -> None:
    with bench(tmp_path) as lab:
        lab.send()
        with contextlib.closing(apsw.Connection(str(lab.database))) as other:
            other.execute("BEGIN EXCLUSIVE")
            during = lab.send(4)
            eventually(lambda: lab.has_noticed("locked"), "the lock is noticed")
            during += lab.send(20)
            lab.is_shown_everywhere("locked")
            other.execute("ROLLBACK")
        lab.recovers(keeps=during)


def test_a_full_disk_costs_no_request_and_no_row(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk, bench(tmp_path, disk) as lab:
        before = lab.send()
        filler = fill(disk)
        during = lab.send(30)
        eventually(lambda: bool(lab.send(1)) and lab.has_noticed("full"), "the full disk is noticed")
        during += lab.send(4)
        lab.is_shown_everywhere("full")
        filler.unlink()
        lab.recovers(keeps=before + during)


@pytest.mark.parametrize("fault", ["garbage", "folder", "newer", "empty"])
def test_a_daemon_starts_with_whatever_lies_there(tmp_path: Path, fault: str) -> None:
    database = tmp_path / "telemetry.db"
    if fault == "folder":
        database.mkdir()
    elif fault == "newer":
        with contextlib.closing(apsw.Connection(str(database))) as connection:
            connection.execute(f"CREATE TABLE exchanges (id); PRAGMA user_version = {NEWER}")
    else:
        database.write_bytes(b"no database " * 1000 if fault == "garbage" else b"")
    with bench(tmp_path) as lab:
        during = lab.send(4)
        if fault in {"folder", "newer"}:
            lab.is_shown_everywhere("newer_schema" if fault == "newer" else lab.telemetry()["state"])
            database.rename(tmp_path / "aside")
        lab.recovers(keeps=during)
    if fault == "garbage":
        assert is_set_aside(database, b"no database ")


def test_a_daemon_starts_on_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        filler = fill(disk)
        with bench(tmp_path, disk) as lab:
            during = lab.send(4)
            lab.is_shown_everywhere("full")
            filler.unlink()
            lab.recovers(keeps=during)


def test_a_daemon_starts_on_a_disk_that_is_read_only(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        with bench(tmp_path, disk) as lab:
            before = lab.send()
            lab.daemon.stop()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with bench(tmp_path, disk) as lab:
            during = lab.send(4)
            lab.is_shown_everywhere("read_only")
            subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
            lab.recovers(keeps=before + during)


def test_a_daemon_starts_beside_a_lock(tmp_path: Path) -> None:
    with contextlib.closing(apsw.Connection(str(tmp_path / "telemetry.db"))) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("BEGIN EXCLUSIVE")
        with bench(tmp_path) as lab:
            during = lab.send(4)
            lab.is_shown_everywhere(lab.telemetry()["state"])
            other.execute("ROLLBACK")
            lab.recovers(keeps=during)


def test_rows_that_a_worker_takes_with_it_are_counted(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk, bench(tmp_path, disk) as lab:
        filler = fill(disk)
        eventually(lambda: bool(lab.send(1)) and lab.has_noticed("full"), "the full disk is noticed")
        waiting = lab.telemetry()["rows_waiting"]
        assert waiting > 0
        assert lab.daemon.control("restart").returncode == 0
        eventually(lambda: lab.status()["telemetry"]["rows_lost"] >= waiting, "status counts the losses")
        lost = lab.status()["telemetry"]["rows_lost"]
        eventually(lambda: lab.telemetry()["rows_lost"] == lost, "/health counts the losses")
        assert f"\ntokenpak_telemetry_rows_lost {lost}\n".encode() in lab.daemon.get("/metrics")[1]
        assert f"{lost} lost" in lab.daemon.control("doctor").stdout
        assert f'"message":"rows_lost","worker":"data-plane-1","rows":{lost}' in lab.daemon.log
        filler.unlink()
        lab.recovers(keeps=[])
