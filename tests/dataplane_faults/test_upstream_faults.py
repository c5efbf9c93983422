"""Providers that fail: every failure is visible to the client, on record, and leaves the daemon whole."""

import json
import threading
import time
from collections.abc import Iterable

import pytest

from tests.playbook.fault_steps import Body, Chunk, Fin, Head, LastChunk, Repeat, Reset, Send, Stall, Step, Until
from tests.playbook.raw_client import End, Reply
from tests.playbook.traffic import ANTHROPIC, MESSAGES, STRICT, Lab, message

SSE = Head(content_type="text/event-stream", chunked=True)
START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",'
    b'"content":[],"model":"claude-sonnet-4-5","usage":{"input_tokens":9,"output_tokens":1}}}\n\n'
)
DELTA = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta",'
    b'"text":"caf\xc3\xa9"}}\n\n'
)
STOP = (
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
    b'"usage":{"output_tokens":4}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
)
OPENAI = b'data: {"id":"c1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
BEARER = [("authorization", "Bearer sk-test")]
GOOGLE = [("x-goog-api-key", "test")]
CHAT = json.dumps({"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "hi"}]}).encode()
RESPONSES = json.dumps({"model": "gpt-4o", "stream": True, "input": "hi"}).encode()
GENERATE = json.dumps({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}).encode()
OLLAMA = json.dumps({"model": "llama3.3", "messages": [{"role": "user", "content": "hi"}]}).encode()


def refusal(reply: Reply, status: int) -> None:
    """Fail unless this is a refusal of ours, in Anthropic's shape."""
    assert (reply.status, reply.end) == (status, End.COMPLETE), reply.body[:300]
    assert reply.header("x-tokenpak-error")
    error = reply.json()
    assert error["type"] == "error"
    assert error["error"]["message"]


def test_refused_connection_is_503_at_once_with_retry_after(impatient: Lab) -> None:
    began_s = time.monotonic()
    reply = impatient.post(OLLAMA, "/api/chat", headers=[])
    assert time.monotonic() - began_s < 1
    assert reply.status == 503
    assert int(reply.header("retry-after") or 0) >= 1
    assert reply.header("x-tokenpak-error")
    assert "127.0.0.1" in reply.json()["error"]
    assert impatient.row(reply)["outcome"] == "upstream_error"


def test_silence_before_the_head_is_504_and_the_upstream_is_let_go(impatient: Lab) -> None:
    impatient.upstream.script(MESSAGES, Stall())
    began_s = time.monotonic()
    reply = impatient.post(message())
    assert 0.9 < time.monotonic() - began_s < 3
    refusal(reply, 504)
    impatient.upstream.wait(impatient.upstream.last.closed.is_set, "its connection closed")
    assert len(impatient.upstream.exchanges) == 1, "a read time-out is never tried again"
    assert impatient.row(reply)["outcome"] == "upstream_timeout"


def test_silence_inside_a_stream_ends_it_visibly(impatient: Lab) -> None:
    impatient.upstream.script(MESSAGES, SSE, Chunk(START), Chunk(DELTA), Stall())
    reply = impatient.post(message(stream=True))
    must_be_cut(reply, START + DELTA)
    assert b"event: error\n" in reply.body
    impatient.upstream.wait(impatient.upstream.last.closed.is_set, "its connection closed")
    assert impatient.row(reply)["outcome"] == "upstream_timeout"


def must_be_cut(reply: Reply, sent: bytes) -> None:
    """Fail unless the client got all that was sent and can tell that more should have come."""
    assert reply.status == 200
    assert reply.body.startswith(sent)
    assert reply.end is End.TRUNCATED
    assert b"message_stop" not in reply.body[len(sent) :]
    assert b"[DONE]" not in reply.body[len(sent) :]


CUTS: list[tuple[str, list[tuple[str, str]], bytes, bytes, bytes]] = [
    (MESSAGES, ANTHROPIC, message(stream=True), START + DELTA, b"event: error\ndata: "),
    ("/v1/chat/completions", BEARER, CHAT, OPENAI, b"data: "),
    ("/v1/responses", BEARER, RESPONSES, b'event: response.created\ndata: {"type":"response.created"}\n\n', b"data: "),
    (
        "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        GOOGLE,
        GENERATE,
        b'data: {"candidates":[{"content":{"parts":[{"text":"a"}]}}]}\r\n\r\n',
        b"data: ",
    ),
]


@pytest.mark.parametrize("end", [Reset(), Fin()], ids=["reset", "fin"])
@pytest.mark.parametrize("cut", CUTS, ids=["anthropic", "chat", "responses", "gemini"])
def test_a_cut_stream_ends_with_an_error_event_of_its_dialect_and_no_clean_end(
    lab: Lab, cut: tuple[str, list[tuple[str, str]], bytes, bytes, bytes], end: Step
) -> None:
    target, headers, body, sent, mark = cut
    lab.upstream.script(target.partition("?")[0], SSE, Chunk(sent), end)
    reply = lab.post(body, target, headers)
    must_be_cut(reply, sent)
    tail = reply.body[len(sent) :]
    assert mark in tail
    data = json.loads(tail.rpartition(b"data: ")[2])
    assert "error" in json.dumps(data)
    assert tail.endswith((b"\n\n", b"\r\n\r\n"))
    assert lab.row(reply)["outcome"] == "upstream_cut"


def test_ollama_lines_end_with_an_error_line(lab: Lab) -> None:
    line = b'{"model":"llama3.3","message":{"role":"assistant","content":"a"},"done":false}\n'
    lab.upstream.script("/api/chat", Head(content_type="application/x-ndjson", chunked=True), Chunk(line), Reset())
    reply = lab.post(OLLAMA, "/api/chat", [])
    must_be_cut(reply, line)
    assert json.loads(reply.body[len(line) :])["error"]


@pytest.mark.parametrize("end", [Reset(), Fin()], ids=["reset", "fin"])
def test_no_cut_at_any_place_looks_like_an_end(lab: Lab, end: Step) -> None:
    stream = START + DELTA + STOP
    framed = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (START, DELTA, STOP)) + b"0\r\n\r\n"
    places = range(1, len(framed) - 2, 7)
    for place in places:
        lab.upstream.script(MESSAGES, SSE, Send(framed[:place]), end)
        reply = lab.post(message(stream=True))
        # A reset may overtake the bytes before it, even the head; then the answer is a refusal.
        if reply.status != 200:
            assert isinstance(end, Reset)
            refusal(reply, 503)
            continue
        assert reply.end is End.TRUNCATED, place
        whole, mark, _ = reply.body.partition(b"event: error\n")
        assert stream.startswith(whole.removesuffix(b"\n")), place
        # On a line of its own: after half an event it renames that event, so that a client raises what it holds.
        assert not mark or not whole or whole.endswith(b"\n"), place
        assert mark or not whole, place
    assert len(lab.upstream.exchanges) == len(places), "a cut stream is never asked for again"


UNARY_CUTS: list[tuple[Step, ...]] = [
    (Head(length=100), Send(b'{"content":"half'), Fin()),
    (Head(length=100), Send(b'{"content":"half'), Reset()),
    (Head(chunked=True), Chunk(b'{"content":"half'), Fin()),
    (Head(chunked=True), Send(b'40\r\n{"content":"half'), Fin()),
]


@pytest.mark.parametrize("steps", UNARY_CUTS, ids=["length-fin", "length-reset", "chunked-fin", "chunk-fin"])
def test_a_cut_answer_is_cut_for_the_client_and_nothing_is_added(lab: Lab, steps: tuple[Step, ...]) -> None:
    lab.upstream.script(MESSAGES, *steps)
    reply = lab.post(message())
    if reply.status == 503:
        # Nothing had gone out yet when the reset came.
        return refusal(reply, 503)
    assert (reply.status, reply.end) == (200, End.TRUNCATED)
    assert b'{"content":"half'.startswith(reply.body)
    assert lab.row(reply)["outcome"] == "upstream_cut"
    return None


def test_a_cut_stream_of_announced_length_is_not_filled_up_with_an_event_of_ours(lab: Lab) -> None:
    """As long as what is missing, it would make the answer look whole."""
    for missing in (1, 150, 1000):
        head = Head(content_type="text/event-stream", length=len(DELTA) + missing)
        lab.upstream.script(MESSAGES, head, Send(DELTA), Fin())
        reply = lab.post(message(stream=True))
        assert (reply.end, reply.body) == (End.TRUNCATED, DELTA)
        assert lab.row(reply)["outcome"] == "upstream_cut"


GARBAGE: list[Iterable[bytes]] = [
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 10],
    [b"HTTP/9.9 200 OK\r\n\r\n"],
    [b"HTTP/1.1 2x0 OK\r\ncontent-length: 0\r\n\r\n"],
    [b"SSH-2.0-OpenSSH_9.9\r\n"],
    [b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 5\r\n\r\nabcde"],
    [b"HTTP/1.1 200 OK\r\ncontent-length: -3\r\n\r\n"],
    [b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n"],
]


@pytest.mark.parametrize("pieces", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_instead_of_a_head_is_502(lab: Lab, pieces: Iterable[bytes]) -> None:
    lab.upstream.script(MESSAGES, *(Send(piece) for piece in pieces), Fin())
    refusal(lab.post(message()), 502)
    assert len(lab.upstream.exchanges) == 1
    lab.upstream.forget()
    lab.must_still_serve(2)


def test_garbage_inside_chunks_is_a_cut(lab: Lab) -> None:
    go = threading.Event()
    lab.upstream.script(MESSAGES, SSE, Chunk(START), Until(go), Send(b"zz\r\nnot a chunk\r\n"), Fin())
    with lab.client() as client:
        client.request("POST", MESSAGES, headers=[STRICT, *ANTHROPIC], body=message(stream=True))
        reply = client.head()
        client.read_until(reply, START)
        go.set()
        client.read_body(reply)
    must_be_cut(reply, START)


def test_an_endless_head_is_given_up_and_memory_stays_flat(lab: Lab) -> None:
    lab.must_still_serve(3)
    before_mb = lab.rss_mb()
    lab.upstream.script(MESSAGES, Send(b"HTTP/1.1 200 OK\r\n"), Repeat(b"x-filler: " + b"y" * 8000 + b"\r\n", 20_000))
    refusal(lab.post(message()), 502)
    assert lab.rss_mb() < before_mb + 32


def test_informational_heads_are_passed_over(lab: Lab) -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
    lab.upstream.script(MESSAGES, Send(early), Body(b'{"ok":1}'))
    reply = lab.post(message())
    assert (reply.status, reply.body) == (200, b'{"ok":1}')
    assert reply.header("link") is None


def test_pings_and_comments_of_the_provider_pass(lab: Lab) -> None:
    ping = b'event: ping\ndata: {"type": "ping"}\n\n'
    pieces = [START, ping, b": keep-alive\n\n", DELTA, ping, b":\n\n", STOP]
    lab.upstream.script(MESSAGES, SSE, *map(Chunk, pieces), LastChunk())
    reply = lab.post(message(stream=True))
    assert (reply.end, reply.body) == (End.COMPLETE, b"".join(pieces))
    assert lab.row(reply)["output_tokens"] == 4


def test_a_closed_idle_connection_costs_no_request(lab: Lab) -> None:
    for _ in range(10):
        lab.upstream.queue(Body(b'{"ok":1}'), Fin())
        assert lab.post(message()).status == 200
    assert len(lab.upstream.exchanges) == 10


def test_a_reset_without_an_answer_is_503_and_asked_once(lab: Lab) -> None:
    lab.upstream.script(MESSAGES, Reset())
    # A kept connection that dies unanswered is replaced once; a second new one is not.
    refusal(lab.post(message()), 503)
    assert len(lab.upstream.exchanges) <= 2
    count = len(lab.upstream.exchanges)
    refusal(lab.post(message()), 503)
    assert len(lab.upstream.exchanges) == count + 1


def test_a_head_request_has_no_body_and_an_empty_answer_none(lab: Lab) -> None:
    lab.upstream.script("/v1/files/f1", Send(b"HTTP/1.1 204 No Content\r\nx-a: b\r\n\r\n"))
    with lab.client() as client:
        for _ in range(3):
            client.request("DELETE", "/v1/files/f1", headers=[STRICT, *ANTHROPIC])
            reply = client.reply()
            assert (reply.status, reply.body, reply.header("x-a")) == (204, b"", "b")
