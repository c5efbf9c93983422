"""A log that nobody reads stops nothing."""

import contextlib
import io
import json
import logging
import os
from collections.abc import Iterator
from typing import TextIO

import pytest

from tokenpakd.telemetry.log_stream import ATOMIC_BYTES, MESSAGE_CHARS_MAX, UnblockedHandler
from tokenpakd.telemetry.logs import JsonFormatter


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    reading, writing = os.pipe()
    stream = open(writing, "w")  # noqa: SIM115 - closed below, after the reading end
    yield reading, stream
    os.close(reading)
    with contextlib.suppress(OSError):
        stream.close()


def emit(handler: UnblockedHandler, text: str) -> None:
    handler.emit(logging.makeLogRecord({"msg": text}))


def test_a_line_arrives_whole(pipe: tuple[int, TextIO]) -> None:
    handler = UnblockedHandler(pipe[1])
    emit(handler, "héllo")
    assert os.read(pipe[0], 100) == "héllo\n".encode()


def test_a_full_pipe_drops_lines_and_says_later_how_many(pipe: tuple[int, TextIO]) -> None:
    handler = UnblockedHandler(pipe[1])
    for _ in range(2000):
        emit(handler, "x" * 99)
    assert 0 < handler.dropped < 2000
    taken = b""
    while len(taken) < (2000 - handler.dropped) * 100:
        taken += os.read(pipe[0], 65_536)
    assert taken == (b"x" * 99 + b"\n") * (2000 - handler.dropped)
    emit(handler, "after")
    assert os.read(pipe[0], 1000) == b"log_lines_dropped\nafter\n"
    emit(handler, "again")
    assert os.read(pipe[0], 1000) == b"again\n"


def test_a_line_too_long_for_a_pipe_keeps_its_message_and_its_form(pipe: tuple[int, TextIO]) -> None:
    handler = UnblockedHandler(pipe[1])
    handler.setFormatter(JsonFormatter())
    handler.emit(logging.makeLogRecord({"msg": "y" * 10_000, "levelname": "INFO", "note": "z" * 10_000}))
    line = os.read(pipe[0], 20_000)
    assert len(line) < ATOMIC_BYTES
    assert json.loads(line)["message"] == "y" * MESSAGE_CHARS_MAX
    assert json.loads(line)["is_cut"] is True


def test_a_closed_reader_costs_a_line_not_an_exception(pipe: tuple[int, TextIO]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as stream:
        handler = UnblockedHandler(stream)
        emit(handler, "nobody")
    assert handler.dropped == 1


def test_a_stream_without_a_descriptor_is_written_as_usual() -> None:
    stream = io.StringIO()
    emit(UnblockedHandler(stream), "kept")
    assert stream.getvalue() == "kept\n"
