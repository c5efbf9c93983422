"""Compressed answers: relayed as they are, metered from a copy, and no bomb goes off here."""

import gzip
import json
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard

from tests.playbook.fault_steps import Body, Chunk, Head, LastChunk, Send
from tests.playbook.raw_client import End
from tests.playbook.traffic import MESSAGES, Lab, message

ANSWER = json.dumps(
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": "naïve 日本語 " * 2000}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 21, "output_tokens": 43, "cache_read_input_tokens": 5},
    },
    ensure_ascii=False,
).encode()
STREAM = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":21,'
    b'"cache_read_input_tokens":5,"output_tokens":1}}}\n\n'
    + b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"text":"abc"}}\n\n'
    * 500
    + b'event: message_delta\ndata: {"type":"message_delta","delta":{},"usage":{"output_tokens":43}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("coding", CODINGS)
def test_an_encoded_answer_is_relayed_as_it_is_and_metered(lab: Lab, coding: str) -> None:
    wire = CODINGS[coding](ANSWER)
    lab.upstream.script(MESSAGES, Body(wire, extra=(("content-encoding", coding),)))
    reply = lab.post(message())
    assert (reply.body, reply.header("content-encoding"), reply.end) == (wire, coding, End.COMPLETE)
    row = lab.row(reply)
    assert (row["output_tokens"], row["sent_input_tokens"], row["counted"]) == (43, 26, "provider")


@pytest.mark.parametrize("size", [1, 37, 100_000])
@pytest.mark.parametrize("coding", CODINGS)
def test_an_encoded_stream_is_relayed_as_it_is_and_metered(lab: Lab, coding: str, size: int) -> None:
    wire = CODINGS[coding](STREAM)
    chunks = [Chunk(wire[at : at + size]) for at in range(0, len(wire), size)]
    head = Head(content_type="text/event-stream", chunked=True, extra=(("content-encoding", coding),))
    lab.upstream.script(MESSAGES, head, *chunks, LastChunk())
    reply = lab.post(message(stream=True))
    assert (reply.body, reply.end) == (wire, End.COMPLETE)
    assert lab.row(reply)["output_tokens"] == 43


def test_the_client_alone_decides_whether_an_answer_may_be_encoded(lab: Lab) -> None:
    lab.post(message())
    assert lab.upstream.last.header("accept-encoding") is None
    with lab.client() as client:
        client.request("POST", MESSAGES, headers=[("Accept-Encoding", "gzip;q=0.3, br")], body=message())
        client.reply()
    assert lab.upstream.last.header("accept-encoding") == "gzip;q=0.3, br"


@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
def test_a_bomb_is_relayed_and_does_not_go_off(lab: Lab, twice: bool) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(1 << 20)
    bomb = b"".join(packer.compress(zeros) for _ in range(512)) + packer.flush()
    if twice:
        bomb = gzip.compress(bomb)
    lab.must_still_serve(3)
    before_mb = lab.rss_mb()
    extra = (("content-encoding", "gzip, gzip" if twice else "gzip"),)
    lab.upstream.script(MESSAGES, Body(bomb, extra=extra))
    reply = lab.post(message())
    assert reply.body == bomb
    assert lab.rss_mb() < before_mb + 40
    assert lab.row(reply)["outcome"] == "ok"


@pytest.mark.parametrize("coding", [*CODINGS, "snappy"])
def test_a_body_that_is_not_what_its_coding_says_is_relayed(lab: Lab, coding: str) -> None:
    lab.upstream.script(MESSAGES, Body(b"\x00not encoded at all", extra=(("content-encoding", coding),)))
    reply = lab.post(message())
    assert (reply.status, reply.body) == (200, b"\x00not encoded at all")
    row = lab.row(reply)
    assert (row["outcome"], row["output_tokens"]) == ("ok", None)


def test_a_truncated_gzip_of_full_length_is_relayed(lab: Lab) -> None:
    wire = gzip.compress(ANSWER)[:-20]
    lab.upstream.script(MESSAGES, Head(length=len(wire), extra=(("content-encoding", "gzip"),)), Send(wire))
    reply = lab.post(message())
    assert (reply.body, reply.end) == (wire, End.COMPLETE)
