"""HTTP in, HTTP out: our server on loopback, a plane without store, a provider that is played."""

import json
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.tokenpakd.dataplane.fakes import ANTHROPIC_BODY, POLICY, FakeBody, FakePlane, FakeTransport, Fields
from tests.tokenpakd.dataplane.loopback import Peer, Serving, serving
from tokenpakd.dataplane import accept
from tokenpakd.dataplane.accept import Accept
from tokenpakd.dataplane.call import UpstreamCall
from tokenpakd.exchange.faults import Cut, Refused
from tokenpakd.exchange.request import RequestId
from tokenpakd.exchange.row import CloseRow, Outcome

SSE: Fields = [(b"Content-Type", b"text/event-stream")]
SIZED: Fields = [(b"Content-Type", b"application/json"), (b"Content-Length", b"2")]


class Daemon:
    """Our door with everything behind it."""

    def __init__(self, door: Accept, plane: FakePlane, ours: Serving) -> None:
        self.door, self.plane, self.ours = door, plane, ours

    @property
    def row(self) -> CloseRow:
        assert len(self.plane.recorder.closed) == 1
        return self.plane.recorder.closed[0]

    def head(self, *fields: bytes, line: bytes = b"POST /v1/messages HTTP/1.1") -> bytes:
        host = b"Host: 127.0.0.1:%d" % self.ours.port
        return b"\r\n".join([line, host, b"x-api-key: sk-ant-x", *fields]) + b"\r\n\r\n"

    def post(self, *fields: bytes, body: bytes = ANTHROPIC_BODY) -> bytes:
        return self.head(b"Content-Type: application/json", b"Content-Length: %d" % len(body), *fields) + body


@asynccontextmanager
async def daemon(transport: httpx.AsyncBaseTransport | None = None) -> AsyncIterator[Daemon]:
    plane = FakePlane(transport or FakeTransport(fields=SIZED))
    ids = iter(range(1000))
    door = Accept(plane, new_id=lambda: RequestId(f"tpk_{next(ids)}"), unix_ms=lambda: 1_000, policy=lambda: POLICY)
    async with serving(door) as ours:
        yield Daemon(door, plane, ours)


class Uploading(FakeTransport):
    """Reads an upload to its end before it answers."""

    def __init__(self) -> None:
        super().__init__(FakeBody(first=b"ok"), fields=SIZED)
        self.uploaded = b""
        self.is_whole = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        call: UpstreamCall = request.extensions["call"]
        assert not isinstance(call.body, bytes)
        async for piece in call.body:
            self.uploaded += piece
        self.is_whole = True
        return await super().handle_async_request(request)


class Silent(FakeTransport):
    """Never answers; `is_cancelled` once it is told not to."""

    def __init__(self) -> None:
        super().__init__()
        self.cancelled = trio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request.extensions["call"])
        try:
            await trio.sleep_forever()
        finally:
            self.cancelled.set()
        raise AssertionError


async def settle() -> None:
    for _ in range(3):
        await wait_all_tasks_blocked(0.002)


def code(said: bytes) -> str:
    return str(json.loads(said)["error"].get("code") or json.loads(said)["error"]["type"])


async def test_a_request_reaches_its_provider_and_its_answer_the_client() -> None:
    transport = FakeTransport(FakeBody(first=b"{}"), fields=SIZED)
    async with daemon(transport) as ours, ours.ours.client() as client:
        for _ in range(2):
            transport.body = FakeBody(first=b"{}")
            await client.send(ours.post())
            assert await client.reply() == (200, b"{}")
        assert [call.body for call in transport.calls] == [ANTHROPIC_BODY] * 2
        assert len({row.opened.id for row in ours.plane.recorder.closed}) == 2
        assert ours.door.in_flight == 0


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_body_in_pieces_is_whole_for_the_pipeline(framing: str) -> None:
    transport = FakeTransport(FakeBody(first=b"{}"), fields=SIZED)
    async with daemon(transport) as ours, ours.ours.client() as client:
        if framing == "length":
            await client.send(ours.post(body=b""))
            await client.reply()
            whole = ours.post()
        else:
            whole = ours.head(b"Content-Type: application/json", b"Transfer-Encoding: chunked")
            whole += b"".join(b"1\r\n%c\r\n" % byte for byte in ANTHROPIC_BODY) + b"0\r\n\r\n"
        transport.body = FakeBody(first=b"{}")
        for at in range(0, len(whole), 7):
            await client.send(whole[at : at + 7])
        assert (await client.reply())[0] == 200
        assert transport.calls[-1].body == ANTHROPIC_BODY


@pytest.mark.parametrize(
    ("fields", "line", "status", "why"),
    [
        ((b"Origin: https://evil.example",), b"POST /v1/messages HTTP/1.1", 403, "foreign_origin"),
        ((b"Upgrade: h2c", b"Connection: Upgrade"), b"GET / HTTP/1.1", 400, "bad_upgrade"),
        ((b"HTTP2-Settings: AAMA",), b"GET / HTTP/1.1", 400, "bad_upgrade"),
        ((b"Upgrade: websocket", b"Connection: Upgrade"), b"GET /v1/responses HTTP/1.1", 426, "upgrade_required"),
        ((), b"BREW /v1/messages HTTP/1.1", 405, "method_not_allowed"),
        ((), b"GET http://evil/ HTTP/1.1", 400, "bad_target"),
        ((b"Content-Length: 5000000", b"Expect: 100-continue"), b"POST /v1/messages HTTP/1.1", 413, "body_too_large"),
        ((b"Content-Type: text/plain", b"Content-Length: 5"), b"POST /v1/messages HTTP/1.1", 415, "content_type"),
    ],
)
async def test_who_is_not_let_in_is_told_counted_and_not_on_record(
    fields: tuple[bytes, ...], line: bytes, status: int, why: str
) -> None:
    async with daemon() as ours, ours.ours.client() as client:
        await client.send(ours.head(*fields, line=line))
        found, said = await client.reply()
        assert found == status, said
        assert ours.plane.refusals == [why]
        assert await client.rest() == b"", "the connection ends"
        assert ours.plane.recorder.closed == []


async def test_http2_with_prior_knowledge_is_refused() -> None:
    async with daemon() as ours, ours.ours.client() as client:
        await client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        status, _ = await client.reply()
        assert 400 <= status < 500
        assert await client.rest() == b""
        assert ours.plane.recorder.closed == []


async def test_its_own_endpoints_need_no_provider() -> None:
    async with daemon() as ours, ours.ours.client() as client:
        for line in (b"GET /health HTTP/1.1", b"GET /metrics HTTP/1.1", b"GET /recent?limit=3 HTTP/1.1"):
            await client.send(ours.head(line=line))
            assert (await client.reply())[0] == 200
        assert ours.plane.recorder.closed == []
        assert ours.plane.limits_asked == [3]


async def test_a_store_at_fault_is_503_and_the_connection_goes_on() -> None:
    async with daemon() as ours, ours.ours.client() as client:
        ours.plane.fault = Refused(503, "telemetry_unavailable", "tokenpak: the telemetry store is locked.")
        await client.send(ours.head(line=b"GET /stats HTTP/1.1"))
        status, said = await client.reply()
        assert status == 503
        assert b"telemetry store" in said
        await client.send(ours.head(line=b"GET /health HTTP/1.1"))
        assert (await client.reply())[0] == 200


async def test_an_unknown_path_is_404_in_the_callers_dialect() -> None:
    async with daemon() as ours, ours.ours.client() as client:
        line = b"GET /favicon.ico HTTP/1.1\r\nHost: 127.0.0.1:%d" % ours.ours.port
        await client.send(line + b"\r\n\r\n")
        status, said = await client.reply()
        assert status == 404
        assert "error" in json.loads(said)


async def test_continue_is_said_to_who_is_let_in() -> None:
    async with daemon() as ours, ours.ours.client() as client:
        whole = ours.post(b"Expect: 100-continue")
        await client.send(whole[: -len(ANTHROPIC_BODY)])
        assert await client.until(b"\r\n\r\n") == b"HTTP/1.1 100 \r\n\r\n"
        await client.send(ANTHROPIC_BODY)
        assert (await client.reply())[0] == 200


async def test_a_chunked_body_over_the_cap_is_413() -> None:
    async with daemon() as ours, ours.ours.client() as client:
        await client.send(ours.head(b"Content-Type: application/json", b"Transfer-Encoding: chunked"))
        piece = b"%x\r\n%b\r\n" % (1_048_576, b"x" * 1_048_576)
        for _ in range(5):
            await client.send(piece)
        assert (await client.reply())[0] == 413
        assert ours.plane.recorder.closed == []
        assert ours.plane.refusals == ["body_too_large"]


async def test_a_body_in_chunks_of_two_bytes_is_held_in_little_more_than_its_length() -> None:
    transport = FakeTransport(FakeBody(first=b"{}"), fields=SIZED)
    chunk, count = b"2\r\n[]\r\n", 20_000
    async with daemon(transport) as ours, ours.ours.client() as client:
        await client.send(ours.head(b"Content-Type: application/json", b"Transfer-Encoding: chunked") + chunk)
        await settle()
        tracemalloc.start()
        try:
            await client.send(chunk * (count - 1))
            await settle()
            held_bytes = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        await client.send(b"0\r\n\r\n")
        assert await client.reply() == (200, b"{}")
        assert transport.calls[0].body == b"[]" * count
        assert held_bytes < 20 * count, "41 bytes each, were every piece kept as an object"


async def test_too_many_bytes_at_once_are_503_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accept, "IN_FLIGHT_BYTES_MAX", 100)
    async with daemon() as ours:
        async with ours.ours.client() as declared:
            await declared.send(ours.post(body=b"x" * 101))
            status, said = await declared.reply()
            assert (status, b"at once" in said) == (503, True)
        async with ours.ours.client() as chunked:
            await chunked.send(ours.head(b"Content-Type: application/json", b"Transfer-Encoding: chunked"))
            await chunked.send(b"65\r\n%b\r\n" % (b"x" * 101))
            assert (await chunked.reply())[0] == 503
        await settle()
        assert ours.door._bytes_in_flight == 0
        async with ours.ours.client() as small:
            await small.send(ours.post(body=b"x" * 100))
            assert (await small.reply())[0] == 200
        assert ours.door._bytes_in_flight == 0


async def test_a_body_that_stops_is_408(mock_clock: MockClock) -> None:
    async with daemon() as ours, ours.ours.client() as client:
        await client.send(ours.post()[:-10])
        await settle()
        mock_clock.jump(9)
        await settle()
        assert ours.door.in_flight == 1
        mock_clock.jump(2)
        status, said = await client.reply()
        assert (status, b"slowly" in said) == (408, True)
        assert ours.plane.refusals == ["slow_body"]


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_an_upload_goes_through_as_it_is_framed(*, is_chunked: bool) -> None:
    transport = Uploading()
    data = bytes(range(256)) * 1_000
    framing = b"Transfer-Encoding: chunked" if is_chunked else b"Content-Length: %d" % len(data)
    async with daemon(transport) as ours, ours.ours.client() as client:
        await client.send(ours.head(framing, line=b"POST /v1/files HTTP/1.1"))
        if is_chunked:
            for at in range(0, len(data), 1000):
                await client.send(b"3e8\r\n" + data[at : at + 1000] + b"\r\n")
            await client.send(b"0\r\n\r\n")
        else:
            await client.send(data)
        assert await client.reply() == (200, b"ok")
        assert transport.is_whole
        if is_chunked:
            assert transport.uploaded.endswith(b"\r\n0\r\n\r\n")
            assert len(transport.uploaded) > len(data)
        else:
            assert transport.uploaded == data
        assert ours.row.outcome is Outcome.OK


async def test_an_upload_whose_client_leaves_never_ends_well() -> None:
    transport = Uploading()
    async with daemon(transport) as ours:
        async with ours.ours.client() as client:
            await client.send(
                ours.head(b"Transfer-Encoding: chunked", line=b"POST /v1/files HTTP/1.1") + b"3\r\nabc\r\n"
            )
            await settle()
            assert transport.uploaded == b"3\r\nabc\r\n"
        await settle()
        assert not transport.is_whole
        assert b"0\r\n\r\n" not in transport.uploaded
        assert ours.row.outcome is Outcome.CLIENT_GONE
        assert ours.door.in_flight == 0


async def test_an_upload_that_stops_is_408(mock_clock: MockClock) -> None:
    async with daemon(Uploading()) as ours, ours.ours.client() as client:
        await client.send(ours.head(b"Content-Length: 10", line=b"POST /v1/files HTTP/1.1") + b"abc")
        await settle()
        mock_clock.jump(31)
        assert (await client.reply())[0] == 408
        assert (ours.row.outcome, ours.row.status) == (Outcome.REFUSED, 408)


@pytest.mark.parametrize("has_pipelined", [False, True])
async def test_a_client_that_leaves_cancels_its_call(*, has_pipelined: bool) -> None:
    transport = Silent()
    async with daemon(transport) as ours:
        async with ours.ours.client() as client:
            await client.send(ours.post() + (ours.post() if has_pipelined else b""))
            await settle()
            assert len(transport.calls) == 1
        await transport.cancelled.wait()
        await settle()
        assert ours.row.outcome is Outcome.CLIENT_GONE
        assert ours.door.in_flight == 0


async def test_a_client_that_leaves_in_its_body_has_no_row() -> None:
    async with daemon() as ours:
        async with ours.ours.client() as client:
            await client.send(ours.post()[:-10])
            await settle()
        await settle()
        assert (ours.plane.recorder.closed, ours.door.in_flight, ours.door._bytes_in_flight) == ([], 0, 0)


async def test_a_client_that_leaves_its_second_request_is_noticed_too() -> None:
    """The second request, in more pieces than the queue holds, begins before the first one's task has ended."""
    first, second = FakeTransport(FakeBody(first=b"{}"), fields=SIZED), Silent()

    class Turns(FakeTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            turn = second if first.calls else first
            return await turn.handle_async_request(request)

    async with daemon(Turns()) as ours:
        async with ours.ours.client() as client:
            chunked = ours.head(b"Content-Type: application/json", b"Transfer-Encoding: chunked")
            chunked += b"".join(b"1\r\n%c\r\n" % byte for byte in ANTHROPIC_BODY) + b"0\r\n\r\n"
            await client.send(ours.post() + chunked)
            assert await client.reply() == (200, b"{}")
            await settle()
            assert len(second.calls) == 1
        await settle()
        assert second.cancelled.is_set()


@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
async def test_an_answer_that_breaks_off_is_visibly_cut_on_either_version(version: bytes) -> None:
    transport = FakeTransport(FakeBody(b"data: x\n\n", Cut("x"), b"", first=b"data: y\n\n"), fields=SSE)
    async with daemon(transport) as ours, ours.ours.client() as client:
        await client.send(ours.post().replace(b"HTTP/1.1", version, 1))
        said = await client.until(b"event: error")
        assert b"data: x" in said
        if version == b"HTTP/1.1":
            assert not (await client.rest()).endswith(b"0\r\n\r\n")
        else:
            with pytest.raises(trio.BrokenResourceError):
                while await client.stream.receive_some(1000):
                    pass
        assert ours.row.outcome is Outcome.UPSTREAM_CUT


async def head_of(client: Peer) -> bytes:
    return await client.until(b"\r\n\r\n")


async def test_a_head_is_sent_before_its_body_begins() -> None:
    gate = trio.Event()
    async with daemon(FakeTransport(FakeBody(gate), fields=SSE)) as ours, ours.ours.client() as client:
        await client.send(ours.post())
        head = await head_of(client)
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"x-tokenpak-request-id: tpk_0" in head


async def test_head_and_empty_answers_end_with_their_head() -> None:
    fields: Fields = [(b"Content-Length", b"500")]
    async with daemon(FakeTransport(FakeBody(), fields=fields)) as ours, ours.ours.client() as client:
        await client.send(ours.head(line=b"HEAD /v1/models HTTP/1.1"))
        assert b"Content-Length: 500" in await head_of(client)
        await client.send(ours.head(line=b"GET /health HTTP/1.1"))
        assert (await client.reply())[0] == 200


@pytest.mark.parametrize("status", [204, 304])
async def test_answers_that_have_no_body_keep_the_connection(status: int) -> None:
    async with daemon(FakeTransport(FakeBody(), status=status, fields=[])) as ours, ours.ours.client() as client:
        await client.send(ours.head(line=b"DELETE /v1/files/1 HTTP/1.1"))
        assert (await head_of(client)).startswith(b"HTTP/1.1 %d" % status)
        await client.send(ours.head(line=b"GET /health HTTP/1.1"))
        assert (await client.reply())[0] == 200


async def test_an_answer_framed_wrongly_for_its_client_is_never_whole(caplog: pytest.LogCaptureFixture) -> None:
    """More bytes than its length says: a fault behind the head is a cut and a row."""
    transport = FakeTransport(FakeBody(b"more", first=b"ok"), fields=SIZED)
    async with daemon(transport) as ours, ours.ours.client() as client:
        await client.send(ours.post())
        await client.rest()
        await settle()
        assert len(ours.plane.recorder.closed) == 1
        assert ours.door.in_flight == 0
        async with ours.ours.client() as next_client:
            await next_client.send(ours.head(line=b"GET /health HTTP/1.1"))
            assert (await next_client.reply())[0] == 200
