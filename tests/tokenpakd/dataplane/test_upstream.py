"""The pool of connections, against a provider on loopback."""

from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.tokenpakd.dataplane.loopback import OK, Peer, Provider, answering, provider
from tokenpakd.dataplane import upstream
from tokenpakd.dataplane.call import UpstreamCall
from tokenpakd.dataplane.connect import Connector, Egress
from tokenpakd.dataplane.upstream import Answer, Upstream, call_upstream
from tokenpakd.exchange.faults import Cut, Garbled, TimedOut, Unreachable

CLOSING = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@pytest.fixture
async def connections() -> AsyncIterator[Upstream]:
    """The pool under test, emptied afterwards."""
    found = Upstream(Connector(Egress()))
    yield found
    await found.aclose()


def call(
    to: Provider, body: bytes | AsyncIterator[bytes] = b"{}", *, method: str = "POST", silence_s: float | None = 5.0
) -> UpstreamCall:
    framing = b"Content-Length: %d" % len(body) if isinstance(body, bytes) else b"Transfer-Encoding: chunked"
    head = b"%b /v1/m HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n" % (method.encode(), framing)
    return UpstreamCall(origin=to.origin, method=method, head=head, body=body, silence_s=silence_s)


async def whole(answer: Answer) -> bytes:
    """Read an answer to its end."""
    pieces = [answer.body.take_first()]
    while not answer.body.is_complete:
        pieces.append(await answer.body.read())
    answer.body.close()
    return b"".join(pieces)


async def ask(connections: Upstream, to: Provider, body: bytes | AsyncIterator[bytes] = b"{}") -> bytes:
    return await whole(await call_upstream(connections, call(to, body)))


async def test_a_connection_is_kept_and_used_again(connections: Upstream) -> None:
    async with provider(answering()) as acme:
        assert [await ask(connections, acme, b"%d" % n) for n in range(3)] == [b"ok"] * 3
        assert [number for number, _ in acme.requests] == [0, 0, 0]
        assert [request[-1:] for _, request in acme.requests] == [b"0", b"1", b"2"]
        assert connections.idle_connections == 1
        await connections.aclose()
        assert connections.idle_connections == 0


async def test_the_connection_used_last_is_used_next(connections: Upstream) -> None:
    async with provider(answering()) as acme:
        answers = [await call_upstream(connections, call(acme)) for _ in range(2)]
        assert acme.connections == 1, "an answer that came whole with its head gives its connection back at once"
        assert [await whole(answer) for answer in answers] == [b"ok", b"ok"]
    gate = trio.Event()

    async def waiting(peer: Peer, found: Provider) -> None:
        while request := await peer.request():
            found.requests.append((peer.number, request))
            await gate.wait()
            await peer.send(OK)

    async with provider(waiting) as acme:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(ask, connections, acme)
                await wait_all_tasks_blocked()
            gate.set()
        order = [connection.stream.socket.getsockname() for connection in connections._idle[acme.origin]]
        await ask(connections, acme)
        await ask(connections, acme)
        used = {acme.peers[number].stream.socket.getpeername() for number, _ in acme.requests[3:]}
        assert used == {order[-1]}


async def test_a_connection_the_provider_closed_is_replaced_before_anything_is_sent(connections: Upstream) -> None:
    async with provider(answering()) as acme:
        await ask(connections, acme)
        acme.peers[0].close()
        await wait_all_tasks_blocked()
        assert await ask(connections, acme, b"second") == b"ok"
        assert [number for number, request in acme.requests if request.endswith(b"second")] == [1]


async def test_a_connection_that_dies_under_a_request_is_replaced_once(connections: Upstream) -> None:
    async with provider(answering(OK, None, OK)) as acme:
        await ask(connections, acme)
        assert await ask(connections, acme, b"second") == b"ok"
        assert [number for number, _ in acme.requests] == [0, 0, 1]
    async with provider(answering(OK, None, None)) as acme:
        await ask(connections, acme)
        with pytest.raises(Unreachable, match="without an answer"):
            await ask(connections, acme)
        assert len(acme.requests) == 3, "once, not for ever"


@pytest.mark.parametrize(
    "half", [b"H", b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 100 Continue\r\n\r\n"], ids=["byte", "head", "interim"]
)
async def test_nothing_is_sent_twice_after_a_byte_of_an_answer(connections: Upstream, half: bytes) -> None:
    async def script(peer: Peer, found: Provider) -> None:
        for reply in (OK, half):
            found.requests.append((peer.number, await peer.request()))
            await peer.send(reply)

    async with provider(script) as acme:
        await ask(connections, acme)
        with pytest.raises(Unreachable):
            await ask(connections, acme)
        assert [number for number, _ in acme.requests] == [0, 0]


async def test_a_provider_that_took_its_time_before_it_closed_is_not_asked_again(
    connections: Upstream, autojump_clock: MockClock
) -> None:
    """It had the request, and may bill it; only a connection that was closed before is worth another."""

    async def script(peer: Peer, found: Provider) -> None:
        found.requests.append((peer.number, await peer.request()))
        await peer.send(OK)
        found.requests.append((peer.number, await peer.request()))
        await trio.sleep(upstream.STALE_WITHIN_S + 1)

    async with provider(script) as acme:
        await ask(connections, acme)
        with pytest.raises(Unreachable, match="without an answer"):
            await ask(connections, acme)
        assert [number for number, _ in acme.requests] == [0, 0]


async def test_a_new_connection_that_closes_is_not_tried_again(connections: Upstream) -> None:
    async with provider(answering(None)) as acme:
        with pytest.raises(Unreachable):
            await ask(connections, acme)
        assert len(acme.requests) == 1


async def test_a_refused_connection_is_unreachable(connections: Upstream) -> None:
    async with provider(answering()) as acme:
        pass
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1.*refused"):
        await ask(connections, acme)


async def numbers(count: int) -> AsyncIterator[bytes]:
    for number in range(count):
        await trio.lowlevel.checkpoint()
        yield b"2\r\n%02d\r\n" % (number % 100)
    yield b"0\r\n\r\n"


async def test_an_upload_is_sent_piece_by_piece_and_its_connection_is_kept(connections: Upstream) -> None:
    async def script(peer: Peer, found: Provider) -> None:
        while head := await peer.until(b"\r\n\r\n"):
            found.requests.append((peer.number, head + await peer.until(b"0\r\n\r\n")))
            await peer.send(OK)

    async with provider(script) as acme:
        assert await ask(connections, acme, numbers(50)) == b"ok"
        assert await ask(connections, acme, numbers(1)) == b"ok"
        assert acme.connections == 1
        body = acme.requests[0][1].partition(b"\r\n\r\n")[2]
        assert body == b"".join(b"2\r\n%02d\r\n" % number for number in range(50)) + b"0\r\n\r\n"


async def test_an_upload_is_never_sent_twice(connections: Upstream) -> None:
    async with provider(answering(OK, None)) as acme:
        await ask(connections, acme)
        with pytest.raises(Unreachable):
            await ask(connections, acme, numbers(1))
        assert acme.connections == 1


async def test_an_early_answer_ends_an_upload_and_no_request_follows_on_its_connection(connections: Upstream) -> None:
    sent: list[int] = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            await trio.lowlevel.checkpoint()
            sent.append(1)
            yield b"1\r\nx\r\n"

    async def script(peer: Peer, found: Provider) -> None:
        await peer.until(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        await peer.rest()

    async with provider(script) as acme:
        answer = await call_upstream(connections, call(acme, endless()))
        count = len(sent)
        assert (answer.status, await whole(answer)) == (413, b"no")
        await wait_all_tasks_blocked()
        assert len(sent) == count
        assert connections.idle_connections == 0


async def test_an_early_answer_to_a_large_body_is_not_waited_for(connections: Upstream) -> None:
    async def script(peer: Peer, found: Provider) -> None:
        await peer.until(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        await trio.sleep_forever()

    async with provider(script) as acme:
        with trio.fail_after(5):
            answer = await call_upstream(connections, call(acme, b"x" * 20_000_000))
        assert (answer.status, await whole(answer)) == (413, b"no")
        assert connections.idle_connections == 0


async def test_an_early_2xx_does_not_cut_the_request(connections: Upstream) -> None:
    body = b"x" * 2_000_000
    taken: list[bytes] = []

    async def script(peer: Peer, found: Provider) -> None:
        await peer.until(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        taken.append(await peer.exactly(len(body)))

    async with provider(script) as acme:
        with trio.fail_after(5):
            answer = await call_upstream(connections, call(acme, body))
        assert (answer.status, await whole(answer)) == (200, b"ok")
        await wait_all_tasks_blocked()
    assert taken == [body]


async def test_a_large_body_arrives_whole_and_its_connection_is_kept(connections: Upstream) -> None:
    body = bytes(range(256)) * 8_000
    async with provider(answering()) as acme:
        assert await ask(connections, acme, body) == b"ok"
        assert await ask(connections, acme, body) == b"ok"
        assert [request.partition(b"\r\n\r\n")[2] == body for _, request in acme.requests] == [True, True]
        assert acme.connections == 1


async def test_what_an_upload_raises_comes_out(connections: Upstream) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"1\r\nx\r\n"
        raise ZeroDivisionError("of the client's side")

    async def script(peer: Peer, found: Provider) -> None:
        await peer.rest()

    async with provider(script) as acme:
        with pytest.raises(ZeroDivisionError):
            await ask(connections, acme, slow())


@pytest.mark.parametrize("when", ["before the head", "while uploading"])
async def test_a_cancelled_call_closes_its_connection_at_once(connections: Upstream, when: str) -> None:
    closed = trio.Event()

    async def script(peer: Peer, found: Provider) -> None:
        await peer.until(b"\r\n\r\n")
        await peer.rest()
        closed.set()

    async def stalled() -> AsyncIterator[bytes]:
        yield b"1\r\nx\r\n"
        await trio.sleep_forever()

    async with provider(script) as acme:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, connections, acme, stalled() if when == "while uploading" else b"{}")
            await wait_all_tasks_blocked()
            assert not closed.is_set()
            nursery.cancel_scope.cancel()
        with trio.fail_after(5):
            await closed.wait()
        assert connections.idle_connections == 0


async def test_a_body_left_in_the_middle_closes_its_connection(connections: Upstream) -> None:
    closed = trio.Event()

    async def script(peer: Peer, found: Provider) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal")
        await peer.rest()
        closed.set()

    async with provider(script) as acme:
        answer = await call_upstream(connections, call(acme))
        answer.body.close()
        with trio.fail_after(5):
            await closed.wait()
        assert connections.idle_connections == 0
        assert await answer.body.read() == b""


async def test_silence_before_the_head_is_a_time_out_and_never_a_second_try(
    connections: Upstream, mock_clock: MockClock
) -> None:
    async def script(peer: Peer, found: Provider) -> None:
        found.requests.append((peer.number, await peer.request()))
        await peer.send(OK)
        found.requests.append((peer.number, await peer.request()))
        await peer.rest()

    async with provider(script) as acme:
        await ask(connections, acme)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(jump, mock_clock, 5.1)
            with pytest.raises(TimedOut, match="silent for 5 s"):
                await ask(connections, acme)
        assert len(acme.requests) == 2
        assert connections.idle_connections == 0


async def test_silence_is_counted_from_the_last_byte(connections: Upstream, mock_clock: MockClock) -> None:
    async def script(peer: Peer, found: Provider) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na")
        await trio.sleep(4)
        await peer.send(b"b")
        await trio.sleep(4)
        await peer.send(b"c")
        await peer.rest()

    async with provider(script) as acme:
        answer = await call_upstream(connections, call(acme))
        body = answer.body
        assert body.take_first() == b"a"
        mock_clock.autojump_threshold = 0.01
        assert (await body.read(), await body.read()) == (b"b", b"c")
        with pytest.raises(TimedOut):
            await body.read()
        body.close()


async def jump(clock: MockClock, seconds: float) -> None:
    """Turn the clock on once everything else waits."""
    await wait_all_tasks_blocked(0.01)
    clock.jump(seconds)


async def test_no_time_out_waits_for_ever(connections: Upstream, mock_clock: MockClock) -> None:
    go = trio.Event()

    async def script(peer: Peer, found: Provider) -> None:
        await peer.request()
        await go.wait()
        await peer.send(CLOSING)

    async with provider(script) as acme, trio.open_nursery() as nursery:

        async def wait() -> None:
            answer = await call_upstream(connections, call(acme, silence_s=None))
            assert await whole(answer) == b"ok"

        nursery.start_soon(wait)
        await jump(mock_clock, 1_000_000)
        await wait_all_tasks_blocked(0.01)
        go.set()


async def test_a_provider_that_takes_nothing_is_given_up(connections: Upstream, mock_clock: MockClock) -> None:
    async def script(peer: Peer, found: Provider) -> None:
        await trio.sleep_forever()

    async with provider(script) as acme:
        for body in (b"x" * 20_000_000, b"y" * 200_000):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(jump, mock_clock, 31)
                with pytest.raises(TimedOut):
                    await ask(connections, acme, body)


@pytest.mark.parametrize(
    ("reply", "status", "body", "is_kept"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n", 304, b"", True),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"ok", True),
        (CLOSING, 200, b"ok", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", False),
        (OK + b"HTTP/1.1 200 OK\r\n\r\n", 200, b"ok", False),
        (OK + b"spill", 200, b"ok", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n", 200, b"ok", True),
        (b"HTTP/1.1 529 \r\nContent-Length: 0\r\n\r\n", 529, b"", True),
    ],
)
async def test_each_kind_of_end_is_known(
    connections: Upstream, reply: bytes, status: int, body: bytes, *, is_kept: bool
) -> None:
    async with provider(answering(reply)) as acme:
        answer = await call_upstream(connections, call(acme))
        assert (answer.status, await whole(answer)) == (status, body)
        assert connections.idle_connections == is_kept


async def test_an_answer_that_only_the_close_ends_ends_with_it(connections: Upstream) -> None:
    async def script(peer: Peer, found: Provider) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nX-Case: Kept\r\n\r\nall ")
        await peer.send(b"of it")

    async with provider(script) as acme:
        answer = await call_upstream(connections, call(acme))
        assert answer.headers == [(b"X-Case", b"Kept")]
        assert await whole(answer) == b"all of it"
        assert connections.idle_connections == 0


async def test_an_answer_to_head_has_no_body_to_wait_for(connections: Upstream) -> None:
    async with provider(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")) as acme:
        answer = await call_upstream(connections, call(acme, b"", method="HEAD"))
        assert answer.headers == [(b"Content-Length", b"500")]
        assert (answer.body.is_complete, await whole(answer)) == (True, b"")
        assert connections.idle_connections == 0


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_framed_answer_that_stops_is_cut(connections: Upstream, how: str) -> None:
    async def script(peer: Peer, found: Provider) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal")
        await wait_all_tasks_blocked()
        getattr(peer, how)()

    async with provider(script) as acme:
        answer = await call_upstream(connections, call(acme))
        assert answer.body.take_first() == b"hal"
        with pytest.raises(Cut):
            await answer.body.read()
        answer.body.close()


async def test_garbage_is_garbled_after_what_was_good(connections: Upstream) -> None:
    async with provider(answering(b"SSH-2.0-OpenSSH_9.2\r\n")) as acme:
        with pytest.raises(Garbled):
            await ask(connections, acme)
    half = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n"
    async with provider(answering(half)) as acme:
        answer = await call_upstream(connections, call(acme))
        assert answer.body.take_first() == b"ok"
        with pytest.raises(Garbled):
            await answer.body.read()
        answer.body.close()


async def test_an_idle_connection_is_given_up_before_the_provider_does(
    connections: Upstream, mock_clock: MockClock
) -> None:
    async with provider(answering()) as acme:
        await ask(connections, acme)
        mock_clock.jump(74)
        await ask(connections, acme)
        mock_clock.jump(76)
        await ask(connections, acme)
        assert [number for number, _ in acme.requests] == [0, 0, 1]


async def test_idle_connections_are_closed_while_nobody_calls(connections: Upstream, mock_clock: MockClock) -> None:
    async with provider(answering()) as acme, trio.open_nursery() as nursery:
        await ask(connections, acme)
        nursery.start_soon(connections.keep_fresh)
        await wait_all_tasks_blocked()
        mock_clock.jump(16)
        await wait_all_tasks_blocked()
        assert connections.idle_connections == 1
        mock_clock.jump(76)
        await wait_all_tasks_blocked()
        assert connections.idle_connections == 0
        nursery.cancel_scope.cancel()


async def test_a_provider_that_speaks_out_of_turn_is_not_trusted_with_the_next_request(connections: Upstream) -> None:
    async with provider(answering()) as acme:
        await ask(connections, acme)
        await wait_all_tasks_blocked()
        await acme.peers[0].send(OK)
        await ask(connections, acme)
        assert [number for number, _ in acme.requests] == [0, 1]


async def test_no_more_than_so_many_connections_wait(connections: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "IDLE_MAX", 2)
    gate = trio.Event()

    async def script(peer: Peer, found: Provider) -> None:
        await peer.request()
        await gate.wait()
        await peer.send(OK)
        await peer.rest()

    async with provider(script) as acme:
        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(ask, connections, acme)
            await wait_all_tasks_blocked()
            gate.set()
        assert connections.idle_connections == 2


async def test_a_body_reads_as_httpx_reads_one(connections: Upstream) -> None:
    async with provider(answering(CLOSING)) as acme:
        answer = await call_upstream(connections, call(acme))
        body = answer.body
        assert isinstance(body, upstream.ResponseBody)
        assert [piece async for piece in body] == [b"ok"]
        await body.aclose()
