"""The data plane's pen: one row per exchange, written inline, never raising, never waiting past 50 ms.

States: `ok` writes at once. After any error the connection rests: rows go straight to a ring until `tick()`, once
a second, has written again. So a sick disk costs a busy worker one slow statement a second, not one per request.
A close whose open is still in the ring takes its place, so the ring holds one entry per exchange. When the ring is
full a closed row is lost and counted; an open row is not lost yet, its close still brings the whole.

The file may be deleted or replaced under us: every call compares its inode (1.5 µs) before it writes, so no row is
acknowledged into a file that nobody will read.
"""

import contextlib
import os
import time
from collections import OrderedDict
from itertools import islice
from pathlib import Path

import apsw

from tokenpakd.exchange.request import RequestId
from tokenpakd.exchange.row import CloseRow, OpenRow, Pin, TelemetryState
from tokenpakd.storage import rows
from tokenpakd.storage.ballast import drop_ballast
from tokenpakd.storage.connection import StorageError, close_quietly, failure, open_writer
from tokenpakd.storage.migrations import MIGRATIONS, migrate, rewrite_version, version_of
from tokenpakd.storage.pins import Pins

BUSY_MS = 45
"""With what a statement itself costs, a call stays within 50 ms."""

RING_ROWS = 10_000
FLUSH_ROWS = 500
FLUSH_S = 0.04


class Recorder:
    """Write the rows of one worker. Not for use by several threads at once."""

    def __init__(self, database: Path, *, boot_id: str, worker: str, ring_rows: int = RING_ROWS) -> None:
        self._database = database
        self._path = os.fspath(database)
        self._boot_id = boot_id
        self._worker = worker
        self._ring_rows = ring_rows
        self._connection: apsw.Connection | None = None
        self._inode: tuple[int, int] = (0, 0)
        self._state = "ok"
        self._ring: OrderedDict[RequestId, OpenRow | CloseRow] = OrderedDict()
        self._rows_lost = 0
        self._pins = Pins(unsaved_max=ring_rows)
        self._would_save: dict[RequestId, tuple[int, int | None]] = {}
        self._connect()

    def open(self, row: OpenRow, pin: Pin | None) -> None:
        """Put an exchange on record before its upstream is called, and the pin it gave its conversation."""
        if pin is not None:
            self._pins.remember(pin)
        connection = self._usable()
        if connection is not None:
            try:
                if pin is None:
                    _insert(connection, row)
                else:
                    connection.execute("BEGIN IMMEDIATE")
                    _insert(connection, row)
                    connection.execute(rows.INSERT_PIN, rows.pin_values(pin))
                    connection.execute("COMMIT")
            except Exception as exc:  # noqa: BLE001 - bookkeeping never takes an exchange down
                self._rest(exc)
            else:
                return
        if pin is not None:
            self._pins.save_later(pin)
        self._wait(row)

    def close(self, row: CloseRow) -> None:
        """Put the outcome on record; brings the whole row where `open` could not write it."""
        connection = self._usable()
        if connection is not None:
            try:
                _finish(connection, row)
            except Exception as exc:  # noqa: BLE001 - bookkeeping never takes an exchange down
                self._rest(exc)
            else:
                self._ring.pop(row.opened.id, None)
                return
        self._wait(row)

    def note_would_save(self, request_id: RequestId, tokens: int, milli_units: int | None) -> None:
        """Add to a closed row what compression would have saved; best effort.

        Where the row is still in the ring, or closes a moment later, the note follows it with the next `tick`.
        """
        connection = self._usable()
        if connection is not None and request_id not in self._ring:
            try:
                connection.execute(rows.NOTE_WOULD_SAVE, rows.would_save_values(request_id, tokens, milli_units))
                if connection.changes():
                    return
            except Exception as exc:  # noqa: BLE001 - bookkeeping never takes an exchange down
                self._rest(exc)
        if len(self._would_save) < self._ring_rows:
            self._would_save[request_id] = (tokens, milli_units)

    def raise_mask(self, conversation: str, epoch: int, masked_spans: int) -> bool:
        """Put a higher `masked_spans` into the conversation's pin of this epoch; say whether it stands in the store.

        Where it does not, nothing has changed here either: what is sent next is what a restart would send.
        """
        connection, is_raised = self._usable(), False
        if connection is not None:
            try:
                connection.execute(rows.RAISE_MASK, (masked_spans, conversation, epoch))
                is_raised = connection.changes() > 0
            except Exception as exc:  # noqa: BLE001 - bookkeeping never takes an exchange down
                self._rest(exc)
        if is_raised:
            self._pins.mask(conversation, epoch, masked_spans)
        return is_raised

    def load_pin(self, conversation: str, epoch: int, *, fresh: bool = False) -> Pin | None:
        """Yield what the conversation keeps, or None where it keeps nothing from this epoch on.

        `fresh`: look into the store again, where another worker may have raised the mask; costs some microseconds.
        """
        pin = self._pins.seen(conversation)
        # An older one than asked for: another worker may have pinned it anew.
        connection = self._usable() if fresh or pin is None or pin.epoch < epoch else None
        if connection is not None:
            try:
                for found in connection.execute(rows.SELECT_PIN, (conversation,)):
                    self._pins.remember(rows.pin_of(found))
            except Exception as exc:  # noqa: BLE001 - bookkeeping never takes an exchange down
                self._rest(exc)
        pin = self._pins.seen(conversation)
        return pin if pin is not None and pin.epoch >= epoch else None

    def state(self) -> TelemetryState:
        """Yield the health of telemetry as the next heartbeat should tell it."""
        return TelemetryState(state=self._state, rows_waiting=len(self._ring), rows_lost=self._rows_lost)

    def tick(self, now_s: float) -> None:
        """Once a second: notice a replaced file, reconnect, write what waits. `now_s` is monotonic."""
        del now_s  # one attempt per call is the bound; the caller's beat is the clock
        if self._connection is not None and not self._is_same_file():
            self._disconnect("missing")
        if self._state == "full":
            drop_ballast(self._database)
        if self._connection is None:
            self._connect()
        connection = self._connection
        if connection is None:
            return
        try:
            if version_of(connection) > len(MIGRATIONS):
                self._disconnect("newer_schema")
                return
            if self._state != "ok":
                # A statement that changes nothing writes nothing and would succeed on a full disk; this one writes.
                rewrite_version(connection)
            self._flush(connection)
        except Exception as exc:  # noqa: BLE001 - bookkeeping never takes an exchange down
            self._rest(exc)
        else:
            self._state = "ok"

    def shutdown(self) -> None:
        """Write what waits, as far as one attempt of a second goes, and close."""
        deadline_s = time.monotonic() + 1.0
        while self._has_waiting() and time.monotonic() < deadline_s:
            self.tick(0.0)
            if self._state != "ok":
                break
        self._disconnect(self._state)

    def _usable(self) -> apsw.Connection | None:
        if self._state != "ok":
            return None
        if not self._is_same_file():
            self._disconnect("missing")
            return None
        return self._connection

    def _is_same_file(self) -> bool:
        try:
            found = os.stat(self._path)
        except OSError:
            return False
        return (found.st_ino, found.st_dev) == self._inode

    def _connect(self) -> None:
        try:
            connection = open_writer(self._database, busy_ms=BUSY_MS)
        except StorageError as exc:
            self._state = exc.state
            return
        try:
            if 0 < version_of(connection) < len(MIGRATIONS):
                # An old file with rows in it: the supervisor copies and migrates it, this loop has no time to.
                raise StorageError("error", "schema is older than this code")
            migrate(connection, backup=None)
            found = os.stat(self._database)
        except (apsw.Error, OSError) as exc:
            close_quietly(connection)
            self._state = failure(exc, self._database).state
        except StorageError as exc:
            close_quietly(connection)
            self._state = exc.state
        else:
            self._connection = connection
            self._inode = (found.st_ino, found.st_dev)

    def _disconnect(self, state: str) -> None:
        if self._connection is not None:
            close_quietly(self._connection)
        self._connection = None
        self._state = state

    def _rest(self, exc: Exception) -> None:
        """After an error: end the transaction, name the state, and leave the next attempt to `tick`.

        Every kind of exception comes here: bookkeeping must never take an exchange down with it.
        """
        connection = self._connection
        state = failure(exc, self._database).state if isinstance(exc, apsw.Error | OSError) else "error"
        if connection is None:
            self._state = state
            return
        with contextlib.suppress(apsw.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        if state == "locked":
            self._state = state
        else:
            # I/O errors stick to a connection (a failed sync is reported once): only a fresh one tells the truth.
            self._disconnect(state)

    def _wait(self, row: OpenRow | CloseRow) -> None:
        key = _id_of(row)
        if key in self._ring or len(self._ring) < self._ring_rows:
            self._ring[key] = row
        elif isinstance(row, CloseRow):
            self._rows_lost += 1

    def _has_waiting(self) -> bool:
        return bool(self._ring or self._would_save) or self._pins.has_unsaved()

    def _flush(self, connection: apsw.Connection) -> None:
        stop_s = time.monotonic() + FLUSH_S
        while self._has_waiting() and time.monotonic() < stop_s:
            batch = list(islice(self._ring.values(), FLUSH_ROWS))
            # What is added to a row comes after the row.
            notes = [] if len(batch) == FLUSH_ROWS else list(islice(self._would_save.items(), FLUSH_ROWS))
            unwritable = 0
            connection.execute("BEGIN IMMEDIATE")
            for row in batch:
                unwritable += not _write_whole(connection, row)
            pins = self._pins.write(connection, FLUSH_ROWS)
            for request_id, (tokens, milli_units) in notes:
                connection.execute(rows.NOTE_WOULD_SAVE, rows.would_save_values(request_id, tokens, milli_units))
            connection.execute("COMMIT")
            self._rows_lost += unwritable
            for row in batch:
                del self._ring[_id_of(row)]
            for request_id, _ in notes:
                del self._would_save[request_id]
            self._pins.forget(pins)


def _write_whole(connection: apsw.Connection, row: OpenRow | CloseRow) -> bool:
    """Write a row of the ring; False where the row itself is what no table takes."""
    try:
        if isinstance(row, CloseRow):
            _finish(connection, row)
        else:
            _insert(connection, row)
    except (apsw.ConstraintError, apsw.MismatchError, TypeError, ValueError):
        return False
    return True


def _insert(connection: apsw.Connection, row: OpenRow) -> None:
    values = rows.open_values(row)
    try:
        connection.execute(rows.INSERT_OPEN, values)
    except (UnicodeError, OverflowError):
        connection.execute(rows.INSERT_OPEN, rows.sayable(values))


def _finish(connection: apsw.Connection, row: CloseRow) -> None:
    values = rows.closed_values(row)
    try:
        connection.execute(rows.INSERT_CLOSED, values)
    except (UnicodeError, OverflowError):
        connection.execute(rows.INSERT_CLOSED, rows.sayable(values))


def _id_of(row: OpenRow | CloseRow) -> RequestId:
    return row.opened.id if isinstance(row, CloseRow) else row.id
