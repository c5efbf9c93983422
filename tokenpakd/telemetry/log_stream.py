"""Door: log lines to a stream that may stop taking them.

Whoever starts the daemon with its error output on a pipe and never reads it would otherwise stop all traffic after
64 KiB of log. A line that the stream would not take now is dropped and counted; the next one that goes through is
preceded by how many are missing.
"""

import logging
import os
import select
from typing import TextIO

ATOMIC_BYTES = 4096
"""A pipe that polls as writable takes this much without blocking (PIPE_BUF on Linux)."""

MESSAGE_CHARS_MAX = 500


class UnblockedHandler(logging.StreamHandler[TextIO]):
    """Writes whole lines, never waits. `dropped` counts what the stream would not take."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.dropped = 0
        self._told = 0
        self._poll = select.poll()
        try:
            self._fd = stream.fileno()
            self._poll.register(self._fd, select.POLLOUT)
        except (OSError, ValueError):
            self._fd = -1

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, or count it."""
        if self._fd < 0:
            super().emit(record)
            return
        try:
            line = self.format(record)
            if len(line) > ATOMIC_BYTES // 4:
                line = self._short(record, line)
            if self.dropped > self._told:
                lost = logging.makeLogRecord(
                    {"name": __name__, "levelno": logging.WARNING, "levelname": "WARNING", "msg": "log_lines_dropped"}
                )
                lost.lines = self.dropped - self._told
                line = f"{self.format(lost)}\n{line}"
            data = line.encode("utf-8", "backslashreplace")[: ATOMIC_BYTES - 1] + b"\n"
            if self._takes_now():
                os.write(self._fd, data)
                self._told = self.dropped
            else:
                self.dropped += 1
        except (OSError, ValueError, TypeError):
            self.dropped += 1

    def _short(self, record: logging.LogRecord, line: str) -> str:
        """Yield the line if a pipe takes it at once, else its message alone: half a JSON object is none."""
        if len(line.encode("utf-8", "backslashreplace")) < ATOMIC_BYTES:
            return line
        kept = {name: getattr(record, name) for name in ("name", "levelno", "levelname", "created")}
        return self.format(
            logging.makeLogRecord(kept | {"msg": record.getMessage()[:MESSAGE_CHARS_MAX], "is_cut": True})
        )

    def _takes_now(self) -> bool:
        events = self._poll.poll(0)
        return bool(events) and bool(events[0][1] & select.POLLOUT)
