"""Clients that go away: the upstream is closed each time, so that nobody pays for an answer nobody reads."""

import statistics
import threading
import time
from collections.abc import Callable

import pytest

from tests.playbook.fault_steps import Chunk, Head, Repeat, Stall, Step, encode
from tests.playbook.raw_client import RawClient
from tests.playbook.traffic import ANTHROPIC, MESSAGES, STRICT, Lab, eventually, message

TRIES = 100
SSE = Head(content_type="text/event-stream", chunked=True)
DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"abc"}}\n\n'
LEAVE: list[Callable[[RawClient], None]] = [RawClient.close, RawClient.reset]


def leave_often(lab: Lab, before_leaving: Callable[[RawClient], None], *, stream: bool) -> list[float]:
    """Ask and leave so many times; yield the seconds until the upstream saw each close."""
    delays_s: list[float] = []
    for number in range(TRIES):
        client = lab.client()
        client.request("POST", MESSAGES, headers=[STRICT, *ANTHROPIC], body=message(stream=stream))
        exchange = lab.upstream.wait_for_requests(number + 1)[number]
        before_leaving(client)
        left_s = time.monotonic()
        LEAVE[number % 2](client)
        lab.upstream.wait(exchange.closed.is_set, f"the close of request {number}", 5)
        delays_s.append(exchange.closed_s - left_s)
    return delays_s


def read_some(client: RawClient) -> None:
    client.read_until(client.head(), b"abc")


@pytest.mark.parametrize(
    ("steps", "before_leaving", "stream"),
    [
        ((Stall(),), lambda client: None, False),
        ((SSE, Chunk(DELTA), Stall()), read_some, True),
        ((SSE, Repeat(encode(Chunk(DELTA)), 10**7)), read_some, True),
    ],
    ids=["before-the-head", "stalled", "mid-stream"],
)
def test_the_upstream_is_closed_each_time(
    lab: Lab, steps: tuple[Step, ...], before_leaving: Callable[[RawClient], None], stream: bool
) -> None:
    lab.upstream.script(MESSAGES, *steps)
    delays_s = leave_often(lab, before_leaving, stream=stream)
    assert len(delays_s) == TRIES
    assert statistics.median(delays_s) < 0.25
    assert max(delays_s) < 1.5
    newest = lab.rows(TRIES)
    assert [row["outcome"] for row in newest] == ["client_gone"] * TRIES
    lab.upstream.forget()
    lab.must_still_serve(30)


def large(client: RawClient) -> None:
    body = message()[:-1] + b" " * 400_000 + b"}"
    client.request("POST", MESSAGES, headers=[STRICT, *ANTHROPIC], body=body)


def upload(client: RawClient) -> None:
    client.request("POST", "/v1/files", headers=[("authorization", "Bearer k")], body=b"x" * 400_000, content_type=None)


@pytest.mark.parametrize("ask", [large, upload])
def test_one_that_leaves_after_a_large_body_has_its_row(lab: Lab, ask: Callable[[RawClient], None]) -> None:
    lab.upstream.script(MESSAGES, Stall())
    lab.upstream.script("/v1/files", Stall())
    for number in range(10):
        client = lab.client()
        ask(client)
        exchange = lab.upstream.wait_for_requests(number + 1)[number]
        LEAVE[number % 2](client)
        lab.upstream.wait(exchange.closed.is_set, f"the close of request {number}", 5)
    assert [row["outcome"] for row in lab.rows(10)] == ["client_gone"] * 10


def test_clients_that_leave_all_at_once_leave_no_connection_behind(lab: Lab) -> None:
    lab.upstream.script(MESSAGES, Stall())
    clients = [lab.client() for _ in range(64)]
    for client in clients:
        client.request("POST", MESSAGES, headers=[STRICT, *ANTHROPIC], body=message())
    exchanges = lab.upstream.wait_for_requests(64)
    threads = [threading.Thread(target=client.close) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lab.upstream.wait(lambda: all(exchange.closed.is_set() for exchange in exchanges), "64 closes", 10)
    lab.upstream.forget()
    lab.must_still_serve(30)
    # What is left are listeners and the idle pool: no connection of those that left.
    eventually(lambda: in_flight(lab) == 0, "nothing in flight")


def in_flight(lab: Lab) -> int:
    return int(lab.daemon.get_json("/health")["in_flight"])


def test_a_client_that_leaves_while_it_sends_its_body_reaches_no_provider(lab: Lab) -> None:
    for _ in range(20):
        client = lab.client()
        client.send(
            f"POST {MESSAGES} HTTP/1.1\r\nHost: 127.0.0.1:{lab.port}\r\ncontent-type: application/json\r\n"
            "content-length: 1000\r\n\r\n".encode()
            + b"{" * 500
        )
        client.close()
    lab.must_still_serve(5)
    assert len(lab.upstream.exchanges) == 5
    eventually(lambda: in_flight(lab) == 0, "nothing in flight")


def test_one_that_pipelines_and_leaves_is_noticed_within_bounds(lab: Lab) -> None:
    lab.upstream.script(MESSAGES, Stall())
    client = lab.client()
    for _ in range(2):
        client.request("POST", MESSAGES, headers=[STRICT, *ANTHROPIC], body=message())
    exchange = lab.upstream.wait_for_requests(1)[0]
    client.close()
    lab.upstream.wait(exchange.closed.is_set, "the close", 3)
    eventually(lambda: in_flight(lab) == 0, "nothing in flight")


def test_a_client_that_leaves_with_its_last_byte_keeps_nothing_busy(lab: Lab) -> None:
    """Request and end in one go: whichever the scheduler sees first, no upstream works for nobody."""
    lab.upstream.script(MESSAGES, Stall())
    connections = len(lab.worker().net_connections())
    for _ in range(TRIES):
        with lab.client() as client:
            client.request("POST", MESSAGES, headers=[STRICT, *ANTHROPIC], body=message())
    eventually(lambda: lab.daemon.get_json("/health")["in_flight"] == 0, "nothing in flight", 5)
    eventually(lambda: len(lab.worker().net_connections()) <= connections, "all connections closed", 5)
    assert all(exchange.closed.wait(1) for exchange in lab.upstream.exchanges)
