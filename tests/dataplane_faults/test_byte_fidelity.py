"""Strict mode: what arrives is what was sent, in both directions, whatever it looks like."""

import json
import threading

import pytest

from tests.playbook.fault_steps import Body, Chunk, Drip, Fin, Head, LastChunk, Send, Until
from tests.playbook.raw_client import End
from tests.playbook.traffic import ANTHROPIC, MESSAGES, STRICT, Lab, message

UNICODE = 'naïve – “日本語” 🧑‍🚀 \u2028 \ufeff e\u0301 \\u00e9 \\ud83d\\ude00 \\/ \\"q\\"'


def body_of(style: str, size: int) -> bytes:
    """Build a request of at least `size` bytes in one way of writing JSON."""
    turns = [
        {"role": "user" if at % 2 == 0 else "assistant", "content": f"{at} {UNICODE}" + "line\n\tof text " * 40}
        for at in range(size // 700 + 1)
    ]
    value = {"model": "claude-sonnet-4-5", "max_tokens": 64, "messages": turns, "temperature": 1.0}
    match style:
        case "compact":
            return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
        case "spaced":
            return json.dumps(value).encode()
        case "odd":
            text = json.dumps(value, separators=(" ,\r\n\t", " :  "), ensure_ascii=False)
            return f"\r\n\t {text}  \n".encode()
        case "duplicate":
            text = json.dumps(value, ensure_ascii=False)
            first = '{"model":"claude-haiku-4-5","x":1e2,"x":100,"n":-0.0,"big":1234567890123456789012345,'
            return (first + text[1:-1] + ',"max_tokens": 65}').encode()
        case "surrogate":
            return json.dumps(value).encode().replace(b"line", b"\\ud800", 3)
    raise AssertionError(style)


@pytest.mark.parametrize("size", [20_000, 1_000_000])
@pytest.mark.parametrize("style", ["compact", "spaced", "odd", "duplicate", "surrogate"])
def test_both_bodies_cross_unchanged(lab: Lab, style: str, size: int) -> None:
    sent = body_of(style, size)
    answer = b'{ "usage" :{"input_tokens":1, "output_tokens":2},"content":"' + UNICODE.encode() * 300 + b'"}\r\n '
    lab.upstream.script(MESSAGES, Body(answer))
    reply = lab.post(sent)
    assert (reply.status, reply.end, reply.body) == (200, End.COMPLETE, answer)
    (seen,) = lab.upstream.exchanges
    assert seen.body == sent


@pytest.mark.parametrize("size", [20_000, 1_000_000])
def test_a_chunked_request_body_crosses_unchanged(lab: Lab, size: int) -> None:
    sent = body_of("odd", size)
    with lab.client() as client:
        head = "".join(f"{name}: {value}\r\n" for name, value in [STRICT, *ANTHROPIC])
        client.send(
            f"POST {MESSAGES} HTTP/1.1\r\nHost: localhost:{lab.port}\r\nContent-Type: application/json\r\n"
            f"Transfer-Encoding: chunked\r\n{head}\r\n".encode()
        )
        for at in range(0, len(sent), 7919):
            piece = sent[at : at + 7919]
            client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        client.send(b"0\r\n\r\n")
        assert client.reply().status == 200
    assert lab.upstream.last.body == sent


def events(count: int) -> bytes:
    """Build an Anthropic stream whose text is mostly not ASCII."""
    pieces: list[dict[str, object]] = [
        {"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 5, "output_tokens": 1}}}
    ]
    pieces += [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": f"{at} {UNICODE}"}}
        for at in range(count)
    ]
    pieces += [{"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 77}}]
    pieces += [{"type": "message_stop"}]
    lines = [f"event: {piece['type']}\ndata: {json.dumps(piece, ensure_ascii=False)}\n\n" for piece in pieces]
    return ": a comment\n\n".join(lines).encode()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64, 4096])
def test_a_stream_cut_anywhere_inside_utf8_crosses_unchanged(lab: Lab, size: int) -> None:
    stream = events(20 if size < 64 else 2000)
    chunks = [Chunk(stream[at : at + size]) for at in range(0, len(stream), size)]
    lab.upstream.script(MESSAGES, Head(content_type="text/event-stream", chunked=True), *chunks, LastChunk())
    sent = message(stream=True, text=UNICODE)
    reply = lab.post(sent)
    assert (reply.status, reply.end, reply.body) == (200, End.COMPLETE, stream)
    assert reply.header("content-type") == "text/event-stream"
    assert lab.upstream.last.body == sent
    row = lab.row(reply)
    assert (row["outcome"], row["stream"], row["output_tokens"]) == ("ok", True, 77)


def test_each_read_is_sent_on_at_once(lab: Lab) -> None:
    stream = events(3)
    gates = [threading.Event() for _ in range(4)]
    # Boundaries of no meaning: the middle of a character, of a line, of an event.
    cuts = [0, stream.index("日".encode()) + 1, len(stream) // 2, len(stream) - 5, len(stream)]
    steps = [step for at, gate in enumerate(gates) for step in (Until(gate), Chunk(stream[cuts[at] : cuts[at + 1]]))]
    lab.upstream.script(MESSAGES, Head(content_type="text/event-stream", chunked=True), *steps, LastChunk())
    with lab.client() as client:
        client.request("POST", MESSAGES, headers=[STRICT, *ANTHROPIC], body=message(stream=True))
        reply = client.head()
        for at, gate in enumerate(gates):
            assert len(reply.body) == cuts[at]
            gate.set()
            while len(reply.body) < cuts[at + 1]:
                assert client.read_chunk(reply)
        client.read_body(reply)
    assert (reply.end, reply.body) == (End.COMPLETE, stream)


def test_a_body_that_drips_byte_by_byte_arrives_whole(lab: Lab) -> None:
    answer = ('{"content":"' + UNICODE.replace('"', "'") + '"}').encode()
    lab.upstream.script(MESSAGES, Head(length=len(answer)), Drip(answer, 0.001))
    reply = lab.post(message())
    assert (reply.status, reply.end, reply.body) == (200, End.COMPLETE, answer)


def test_a_body_that_ends_with_the_connection_is_whole(lab: Lab) -> None:
    answer = b'{"content":"until close"}'
    lab.upstream.script(MESSAGES, Send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + answer), Fin())
    reply = lab.post(message())
    assert (reply.status, reply.body) == (200, answer)
    assert reply.end is not End.TRUNCATED
    assert lab.row(reply)["outcome"] == "ok"


@pytest.mark.parametrize("status", [400, 401, 404, 413, 429, 500, 503, 529])
def test_an_error_of_the_provider_crosses_unchanged(lab: Lab, status: int) -> None:
    answer = b'{"type":"error",  "error":{"type":"overloaded_error","message":"\xc3\xa9"},"request_id":"req_1"}'
    extra = (
        ("retry-after", "7"),
        ("anthropic-ratelimit-requests-remaining", "0"),
        ("x-should-retry", "true"),
        ("Request-Id", "req_1"),
    )
    lab.upstream.script(MESSAGES, Body(answer, status=status, extra=extra))
    reply = lab.post(message())
    assert (reply.status, reply.body) == (status, answer)
    for name, value in extra[:3]:
        assert reply.header(name) == value
    assert reply.header("x-tokenpak-error") is None
    assert len(lab.upstream.exchanges) == 1, "nothing is asked twice"
    row = lab.row(reply)
    assert (row["outcome"], row["status"]) == ("upstream_error", status)
