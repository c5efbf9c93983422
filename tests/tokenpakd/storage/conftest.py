"""Rows to put on record, and a child process that has telemetry.db in its hands."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tokenpakd.exchange.request import RequestId
from tokenpakd.exchange.row import CloseRow, OpenRow, Outcome, RoomTrace
from tokenpakd.exchange.usage import Usage

Opened = Callable[..., OpenRow]
Closed = Callable[..., CloseRow]

ROOT = Path(__file__).resolve().parents[3]
"""Children import these rows from here."""


def make_opened(number: int = 1, **changes: object) -> OpenRow:
    fields: dict[str, object] = {
        "id": RequestId(f"r{number:08d}"),
        "at_unix_ms": 1_700_000_000_000 + number,
        "boot_id": "boot-1",
        "worker": "data-1",
        "path": "/v1/messages",
        "dialect": "anthropic_messages",
        "provider": "anthropic",
        "model": "claude-x",
        "is_stream": True,
        "mode": "hybrid",
        "conversation": "c0ffee",
        "client": "claude-code",
        "bytes_received": 1000,
        "bytes_sent": 800,
        "saved_tokens": 50,
        "sent_tokens_estimate": 200,
        "spans_replaced": 2,
    }
    return OpenRow(**(fields | changes))  # type: ignore[arg-type]


def make_closed(row: OpenRow, **changes: object) -> CloseRow:
    fields: dict[str, object] = {
        "opened": row,
        "outcome": Outcome.OK,
        "status": 200,
        "upstream_status": 200,
        "usage": Usage(input_uncached=10, cache_read=100, cache_write_5m=5, output=7),
        "bytes_returned": 4096,
        "ttfb_ms": 12.5,
        "duration_ms": 80.0,
        "overhead_ms": 0.7,
        "rooms": (RoomTrace("guard", 0.1, "passed"), RoomTrace("compress", 0.4, "2 spans")),
    }
    return CloseRow(**(fields | changes))  # type: ignore[arg-type]


@pytest.fixture
def opened() -> Opened:
    """Make an open row: `opened(3, model="m")`."""
    return make_opened


@pytest.fixture
def closed() -> Closed:
    """Close an open row: `closed(opened(3), outcome=…)`."""
    return make_closed


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "state" / "telemetry.db"


LOCKER = """
import sys, apsw
connection = apsw.Connection(sys.argv[1])
connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def lock_elsewhere() -> Iterator[Callable[[Path], Callable[[], None]]]:
    """Let another process hold an EXCLUSIVE lock; yields what releases it."""
    held: list[subprocess.Popen[str]] = []

    def lock(database: Path) -> Callable[[], None]:
        child = subprocess.Popen(
            [sys.executable, "-c", LOCKER, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        held.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "locked\n"

        def release() -> None:
            child.communicate("done\n", timeout=10)

        return release

    yield lock
    for child in held:
        child.kill()
        child.wait()


@pytest.fixture
def on_a_small_disk() -> Callable[[str, int], dict[str, object]]:
    """Run a script with its own 1 MiB disk as `sys.argv[1]` and yield the JSON that it prints."""

    def run(script: str, size_kib: int) -> dict[str, object]:
        probe = subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False)
        if probe.returncode != 0:
            pytest.skip("a private mount is not permitted here, so no disk can be filled")
        shell = 'mkdir -p "$0" && mount -t tmpfs -o size="$1"k none "$0" && exec "$2" -c "$3" "$0"'
        done = subprocess.run(
            ["unshare", "-rm", "sh", "-c", shell, "/mnt", str(size_kib), sys.executable, script],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=ROOT,
        )
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        assert isinstance(answer, dict)
        return answer

    return run
