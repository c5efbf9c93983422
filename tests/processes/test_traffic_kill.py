"""kill -9 under traffic: what was in flight is visibly cut and on record, what comes next is served."""

import os
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest

from tests.playbook.fault_steps import Chunk, Head, LastChunk, Stall, Until
from tests.playbook.raw_client import End, RawClient, Reply, ask
from tests.playbook.traffic import (
    ANTHROPIC,
    MESSAGES,
    STRICT,
    Lab,
    eventually,
    is_alive,
    is_serving,
    message,
    start_lab,
)

STREAMS = 8
SSE = Head(content_type="text/event-stream", chunked=True)
START = b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":3}}}\n\n'
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


def open_streams(lab: Lab, count: int) -> list[tuple[RawClient, Reply]]:
    """Begin so many streams; yields once each client has the first event."""
    begun = []
    for _ in range(count):
        client = lab.client()
        client.request("POST", MESSAGES, headers=[STRICT, *ANTHROPIC], body=message(stream=True))
        reply = client.head()
        client.read_until(reply, START)
        begun.append((client, reply))
    return begun


def test_killing_the_data_plane_cuts_streams_loses_no_row_and_serves_the_next_within_a_second(tmp_path: Path) -> None:
    with start_lab(tmp_path) as lab:
        ids = {lab.post(message()).header("x-tokenpak-request-id"): "ok" for _ in range(20)}
        for _ in range(3):
            lab.upstream.script(MESSAGES, SSE, Chunk(START), Stall())
            streams = open_streams(lab, STREAMS)
            lab.upstream.forget()
            worker = lab.worker()
            worker.kill()
            killed_s = time.monotonic()
            # Asked while nobody serves: the supervisor holds the listener, so the request waits and is answered.
            reply = ask(lab.port, MESSAGES, method="POST", headers=[STRICT, *ANTHROPIC], body=message())
            assert reply.status == 200
            assert time.monotonic() - killed_s < 1
            ids[reply.header("x-tokenpak-request-id")] = "ok"
            for client, cut in streams:
                client.read_body(cut)
                client.close()
                assert cut.end is End.TRUNCATED
                assert cut.body == START
                ids[cut.header("x-tokenpak-request-id")] = "crashed"
            assert lab.worker().pid != worker.pid
        eventually(lambda: all(row["outcome"] for row in lab.rows()), "every row closed")
        seen = {row["id"]: row["outcome"] for row in lab.rows()}
    assert None not in ids
    assert seen == ids


def test_killing_the_data_plane_closes_its_upstreams(tmp_path: Path) -> None:
    with start_lab(tmp_path) as lab:
        lab.upstream.script(MESSAGES, SSE, Chunk(START), Stall())
        streams = open_streams(lab, 2)
        lab.worker().kill()
        for exchange in lab.upstream.exchanges:
            lab.upstream.wait(exchange.closed.is_set, "the close", 2)
        for client, _ in streams:
            client.close()


def test_killing_the_supervisor_leaves_what_is_in_flight_to_finish_and_no_orphan(tmp_path: Path) -> None:
    go = threading.Event()
    with start_lab(tmp_path) as lab:
        lab.upstream.script(MESSAGES, SSE, Chunk(START), Until(go), Chunk(STOP), LastChunk())
        streams = open_streams(lab, STREAMS)
        children = psutil.Process(lab.daemon.pid).children(recursive=True)
        assert len(children) >= 2
        os.kill(lab.daemon.pid, signal.SIGKILL)
        lab.daemon.process.wait(5)
        # Nobody would restart them: so they take no new clients, and finish with those they have.
        eventually(lambda: not accepts(lab.port), "the port closed", 5)
        go.set()
        for client, reply in streams:
            client.read_body(reply)
            client.close()
            assert (reply.end, reply.body) == (End.COMPLETE, START + STOP)
        eventually(lambda: not any(is_alive(child.pid) for child in children), "no orphan", 35)


def accepts(port: int) -> bool:
    try:
        RawClient(port).close()
    except OSError:
        return False
    return True


def test_a_worker_that_is_stopped_is_replaced(tmp_path: Path) -> None:
    """A hang is a death that nobody reports: five seconds without a heartbeat end the worker."""
    with start_lab(tmp_path) as lab:
        worker = lab.worker()
        worker.suspend()
        began_s = time.monotonic()
        reply = ask(lab.port, MESSAGES, method="POST", headers=[STRICT, *ANTHROPIC], body=message())
        assert reply.status == 200
        assert time.monotonic() - began_s < 10
        assert not is_alive(worker.pid)


@pytest.mark.parametrize("name", ["data-plane", "vault"])
def test_a_worker_that_dies_again_and_again_comes_back(tmp_path: Path, name: str) -> None:
    with start_lab(tmp_path) as lab:
        seen: set[int] = set()

        def has_new() -> bool:
            return bool(live(lab, name) - seen)

        for _ in range(3):
            eventually(has_new, f"a new {name} worker")
            pids = live(lab, name)
            seen |= pids
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
        eventually(has_new, f"a new {name} worker")
        lab.must_still_serve(5)


def live(lab: Lab, name: str) -> set[int]:
    """The pids of the workers of a name that /health calls ready."""
    workers = lab.daemon.get_json("/health")["workers"]
    return {worker["pid"] for worker in workers if is_serving(worker, name)}
