import functools
import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard

from tokenpakd.exchange.request import DialectName
from tokenpakd.exchange.usage import Usage
from tokenpakd.telemetry.metering import Meter, Metered

SSE = b"text/event-stream; charset=utf-8"
JSON = b"application/json"
NDJSON = b"application/x-ndjson"
ANTHROPIC, CHAT, RESPONSES, GEMINI, OLLAMA = (
    DialectName.ANTHROPIC,
    DialectName.OPENAI_CHAT,
    DialectName.OPENAI_RESPONSES,
    DialectName.GEMINI,
    DialectName.OLLAMA,
)


def sse(*events: object, named: bool = True, newline: str = "\n") -> bytes:
    out = []
    for event in events:
        data = event if isinstance(event, str) else json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        kind = event.get("type") if isinstance(event, dict) and named else None
        out.append((f"event: {kind}{newline}" if kind else "") + f"data: {data}{newline}{newline}")
    return "".join(out).encode()


ANTHROPIC_STREAM = sse(
    {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "model": "claude-opus-4-5",
            "content": [],
            "usage": {
                "input_tokens": 3,
                "cache_creation_input_tokens": 9,
                "cache_read_input_tokens": 100,
                "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 7},
                "output_tokens": 1,
                "service_tier": "standard",
            },
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": 'é says "message_stop" 🎉'}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": 'an error in "usage": {}'}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 42}},
    {"type": "message_stop"},
)
CHAT_STREAM = sse(
    {"id": "c", "model": "gpt-x", "choices": [{"delta": {"role": "assistant", "content": ""}}], "usage": None},
    {"id": "c", "model": "gpt-x", "choices": [{"delta": {"content": "Hi"}}], "usage": None},
    {
        "id": "c",
        "model": "gpt-x",
        "choices": [],
        "service_tier": "default",
        "usage": {"prompt_tokens": 10, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 6}},
    },
    "[DONE]",
)
RESPONSES_STREAM = sse(
    {"type": "response.created", "response": {"model": "gpt-y", "usage": None, "error": None}},
    {"type": "response.output_text.delta", "delta": "Hi"},
    {
        "type": "response.completed",
        "response": {
            "model": "gpt-y",
            "error": None,
            "usage": {
                "input_tokens": 10,
                "input_tokens_details": {"cached_tokens": 4},
                "output_tokens": 5,
                "output_tokens_details": {"reasoning_tokens": 2},
            },
        },
    },
)
GEMINI_CHUNKS: list[dict[str, object]] = [
    {"candidates": [{"content": {"parts": [{"text": "Hi"}]}}], "modelVersion": "gemini-z"},
    {
        "candidates": [{"content": {"parts": [{"text": "!"}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 8, "candidatesTokenCount": 2, "thoughtsTokenCount": 3},
        "modelVersion": "gemini-z",
    },
]
GEMINI_STREAM = sse(*GEMINI_CHUNKS, newline="\r\n")
OLLAMA_STREAM = (
    b'{"model":"llama","message":{"role":"assistant","content":"Hi"},"done":false}\n'
    b'{"model":"llama","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop",'
    b'"prompt_eval_count":11,"eval_count":3}\n'
)

STREAMS: dict[DialectName, tuple[bytes, bytes, Metered]] = {
    ANTHROPIC: (
        SSE,
        ANTHROPIC_STREAM,
        Metered(
            usage=Usage(
                input_uncached=3,
                cache_read=100,
                cache_write_5m=2,
                cache_write_1h=7,
                output=42,
                service_tier="standard",
            ),
            model="claude-opus-4-5",
            events=8,
            ended_clean=True,
            first_content=True,
        ),
    ),
    CHAT: (
        SSE,
        CHAT_STREAM,
        Metered(
            usage=Usage(input_uncached=4, cache_read=6, output=4, service_tier="default"),
            model="gpt-x",
            events=4,
            ended_clean=True,
            first_content=True,
        ),
    ),
    RESPONSES: (
        SSE,
        RESPONSES_STREAM,
        Metered(
            usage=Usage(input_uncached=6, cache_read=4, output=5, reasoning=2),
            model="gpt-y",
            events=3,
            ended_clean=True,
            first_content=True,
        ),
    ),
    GEMINI: (
        SSE,
        GEMINI_STREAM,
        Metered(
            usage=Usage(input_uncached=8, output=5, reasoning=3),
            model="gemini-z",
            events=2,
            ended_clean=True,
            first_content=True,
        ),
    ),
    OLLAMA: (
        NDJSON,
        OLLAMA_STREAM,
        Metered(
            usage=Usage(input_uncached=11, output=3), model="llama", events=2, ended_clean=True, first_content=True
        ),
    ),
}


def metered(
    dialect: DialectName, kind: bytes | None, data: bytes, *, coding: bytes | None = None, step: int = 1 << 30
) -> Metered:
    meter = Meter(dialect, content_type=kind, content_encoding=coding)
    for start in range(0, len(data), step):
        meter.feed(data[start : start + step])
    return meter.finish()


@pytest.mark.parametrize("dialect", STREAMS)
@pytest.mark.parametrize("step", [1, 2, 13, 150, 1 << 30])
def test_a_stream_means_the_same_however_it_is_cut(dialect: DialectName, step: int) -> None:
    kind, data, expected = STREAMS[dialect]
    assert metered(dialect, kind, data, step=step) == expected


@pytest.mark.parametrize("dialect", STREAMS)
def test_a_stream_without_its_last_newline_is_whole(dialect: DialectName) -> None:
    kind, data, expected = STREAMS[dialect]
    found = metered(dialect, kind, data.rstrip())
    assert (found.usage, found.ended_clean, found.decoded_ok) == (expected.usage, True, True)


ENCODERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"gzip": gzip.compress,
    b"deflate": zlib.compress,
    b"br": lambda data: bytes(brotli.compress(data)),
    b"zstd": zstandard.compress,
}


@pytest.mark.parametrize("dialect", STREAMS)
@pytest.mark.parametrize("coding", ENCODERS)
@pytest.mark.parametrize("step", [1, 50, 1 << 30])
def test_a_compressed_stream_means_the_same(dialect: DialectName, coding: bytes, step: int) -> None:
    kind, data, expected = STREAMS[dialect]
    assert metered(dialect, kind, ENCODERS[coding](data), coding=coding, step=step) == expected


@pytest.mark.parametrize("dialect", STREAMS)
def test_a_stream_cut_anywhere_before_its_end_mark_never_ends_clean(dialect: DialectName) -> None:
    kind, data, _ = STREAMS[dialect]
    mark = {
        ANTHROPIC: b'data: {"type":"message_stop"',
        CHAT: b"data: [DONE",
        RESPONSES: b'data: {"type":"response.completed"',
        GEMINI: b'data: {"candidates":[{"content":{"parts":[{"text":"!"',
        OLLAMA: b'{"model":"llama","message":{"role":"assistant","content":""},"done":true',
    }[dialect]
    for end in range(data.index(mark) + len(mark)):
        assert metered(dialect, kind, data[:end]).ended_clean is False, data[:end][-40:]


UNARY: list[tuple[DialectName, dict[str, object], Usage | None, str | None]] = [
    (
        ANTHROPIC,
        {"type": "message", "model": "m", "content": [{"text": "x"}], "usage": {"input_tokens": 4, "output_tokens": 2}},
        Usage(input_uncached=4, output=2),
        "m",
    ),
    (ANTHROPIC, {"input_tokens": 2095}, None, None),
    (
        CHAT,
        {
            "model": "m",
            "choices": [{"message": {"content": "x"}}],
            "usage": {"prompt_tokens": 4, "completion_tokens": 2},
        },
        Usage(input_uncached=4, output=2),
        "m",
    ),
    (
        CHAT,
        {"object": "list", "data": [{"embedding": [0.1, 0.2]}], "model": "e", "usage": {"prompt_tokens": 4}},
        Usage(input_uncached=4),
        "e",
    ),
    (
        RESPONSES,
        {"model": "m", "error": None, "output": [], "usage": {"input_tokens": 4, "output_tokens": 2}},
        Usage(input_uncached=4, output=2),
        "m",
    ),
    (RESPONSES, {"object": "response.input_tokens", "input_tokens": 11}, None, None),
    (GEMINI, GEMINI_CHUNKS[1], Usage(input_uncached=8, output=5, reasoning=3), "gemini-z"),
    (GEMINI, {"totalTokens": 31}, None, None),
    (
        OLLAMA,
        {"model": "m", "response": "text", "done": True, "prompt_eval_count": 4, "eval_count": 2},
        Usage(input_uncached=4, output=2),
        "m",
    ),
    (OLLAMA, {"model": "m", "embeddings": [[0.1]], "prompt_eval_count": 4}, Usage(input_uncached=4), "m"),
]


@pytest.mark.parametrize(("dialect", "body", "usage", "model"), UNARY)
@pytest.mark.parametrize("coding", [None, *ENCODERS])
@pytest.mark.parametrize("step", [1, 1 << 30])
def test_a_body_in_one_piece_is_read_at_its_end(
    dialect: DialectName,
    body: dict[str, object],
    usage: Usage | None,
    model: str | None,
    coding: bytes | None,
    step: int,
) -> None:
    data = json.dumps(body).encode()
    if coding is not None:
        data = ENCODERS[coding](data)
    found = metered(dialect, JSON, data, coding=coding, step=step)
    assert (found.usage, found.model, found.ended_clean, found.note) == (usage, model, None, None)


def test_geminis_array_stream_is_read() -> None:
    found = metered(GEMINI, JSON, json.dumps(GEMINI_CHUNKS, indent=1).encode(), step=7)
    assert (found.usage, found.model) == (Usage(input_uncached=8, output=5, reasoning=3), "gemini-z")


@pytest.mark.parametrize(
    ("dialect", "kind", "data", "code"),
    [
        (
            ANTHROPIC,
            SSE,
            sse({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}),
            "overloaded_error",
        ),
        (ANTHROPIC, JSON, b'{"type":"error","error":{"type":"rate_limit_error","message":"x"}}', "rate_limit_error"),
        (CHAT, SSE, sse({"error": {"message": "x", "type": "server_error", "code": None}}), "server_error"),
        (CHAT, JSON, b'{"error":{"message":"x","type":"invalid_request_error","code":"bad_key"}}', "bad_key"),
        (RESPONSES, SSE, sse({"type": "error", "code": "server_error", "message": "x"}), "server_error"),
        (RESPONSES, SSE, sse({"type": "response.failed", "response": {"error": {"code": "boom"}}}), "boom"),
        (GEMINI, SSE, sse({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}), "RESOURCE_EXHAUSTED"),
        (GEMINI, JSON, b'{"error":{"code":503}}', "503"),
        (OLLAMA, NDJSON, b'{"error":"model said: secret prompt"}\n', "error"),
        (CHAT, JSON, b'{"error":{"code":"my prompt, with spaces"}}', "error"),
    ],
)
def test_an_error_is_named_by_its_code_and_never_by_its_text(
    dialect: DialectName, kind: bytes, data: bytes, code: str
) -> None:
    found = metered(dialect, kind, data)
    assert found.error_code == code
    assert found.usage is None


def test_an_error_in_mid_stream_keeps_the_usage_so_far_and_no_clean_end() -> None:
    start = ANTHROPIC_STREAM[: ANTHROPIC_STREAM.index(b"event: message_delta")]
    found = metered(ANTHROPIC, SSE, start + sse({"type": "error", "error": {"type": "api_error"}}))
    assert (found.error_code, found.ended_clean, found.first_content) == ("api_error", False, True)
    assert found.usage is not None
    assert found.usage.output == 1


@pytest.mark.parametrize(
    ("dialect", "data"),
    [
        (ANTHROPIC, ANTHROPIC_STREAM[: ANTHROPIC_STREAM.index(b"event: content_block_delta")]),
        (CHAT, CHAT_STREAM[: CHAT_STREAM.index(b"Hi") - 40]),
        (RESPONSES, sse({"type": "response.created", "response": {"model": "m"}})),
    ],
)
def test_frames_that_open_a_stream_are_not_content(dialect: DialectName, data: bytes) -> None:
    assert metered(dialect, SSE, data).first_content is False


def test_the_boundary_of_an_event_is_known_after_every_byte() -> None:
    for newline in ("\n", "\r\n"):
        meter = Meter(ANTHROPIC, content_type=SSE, content_encoding=None)
        data = sse({"type": "ping"}, {"type": "ping"}, newline=newline)
        ends = [meter.at_event_boundary]
        for position in range(len(data)):
            meter.feed(data[position : position + 1])
            ends.append(meter.at_event_boundary)
        assert [at for at, is_end in enumerate(ends) if is_end] == [0, len(data) // 2, len(data)]


@pytest.mark.parametrize(
    ("kind", "coding", "data", "is_plain", "at_boundary"),
    [
        (NDJSON, None, b'{"a":1}\n', True, True),
        (NDJSON, None, b'{"a":1}', True, False),
        (JSON, None, b"{}\n\n", True, False),
        (SSE, b"identity", b"data: 1\n\n", True, True),
        (SSE, b"gzip", gzip.compress(b"data: 1\n\n"), False, False),
        (None, None, b"data: 1\n\n", True, True),
    ],
)
def test_where_something_of_ours_may_follow(
    kind: bytes | None, coding: bytes | None, data: bytes, is_plain: bool, at_boundary: bool
) -> None:
    meter = Meter(OLLAMA, content_type=kind, content_encoding=coding)
    assert meter.at_event_boundary
    meter.feed(data)
    assert (meter.is_plain, meter.at_event_boundary) == (is_plain, at_boundary)


def test_a_stream_without_content_type_is_recognised() -> None:
    assert metered(ANTHROPIC, None, ANTHROPIC_STREAM, step=40).usage == STREAMS[ANTHROPIC][2].usage


@pytest.mark.parametrize(
    ("kind", "coding", "data", "note"),
    [
        (SSE, b"gzip, gzip", gzip.compress(gzip.compress(ANTHROPIC_STREAM)), "content encoding not decoded"),
        (SSE, b"compress", b"whatever", "content encoding not decoded"),
        (SSE, b"br", b"\xff" * 100, "not br"),
        (SSE, b"gzip", ANTHROPIC_STREAM, "not zlib"),
        (SSE, None, b"data: " + b"x" * (1 << 20) + b"y", "a line past 1 MiB"),
    ],
)
def test_what_cannot_be_read_stops_the_meter_and_says_so(
    kind: bytes, coding: bytes | None, data: bytes, note: str
) -> None:
    found = metered(ANTHROPIC, kind, data, coding=coding, step=65536)
    assert (found.decoded_ok, found.note, found.usage, found.ended_clean) == (False, note, None, None)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n\n\n",
        b"data:\n\ndata: \n\n",
        b"data: {\n\n",
        b"data: [1,2]\n\n",
        b'data: {"usage": 1e999}\n\n',
        b'data: {"usage": [3], "model": 7, "error": false}\n\n',
        b'data: {"type": "message_start", "message": [1]}\n\n',
        b'data: {"error": ' + b"[" * 100_000 + b"\n\n",
        b'data: {"usage": {"input_tokens": "\xff\xfe"}}\n\n',
        b'data: {"model": "\\ud800", "usage": {}}\n\n',
        b"<html>502</html>",
        bytes(range(256)) * 20,
    ],
)
@pytest.mark.parametrize("kind", [SSE, NDJSON, JSON, None, b"text/html"])
@pytest.mark.parametrize("dialect", list(DialectName))
def test_nothing_that_comes_raises(dialect: DialectName, kind: bytes | None, data: bytes) -> None:
    for step in (1 if len(data) < 6000 else 5000, 1 << 30):
        found = metered(dialect, kind, data, step=step)
        assert found.usage in (None, Usage(suspect=True))
        assert found.ended_clean in (None, False)


def test_impossible_figures_in_a_stream_are_left_out_and_marked() -> None:
    lies = sse({"type": "message_delta", "usage": {"input_tokens": -5, "output_tokens": 10**18, "x": 1}})
    assert metered(ANTHROPIC, SSE, lies).usage == Usage(suspect=True)


def test_a_body_past_the_cap_is_read_from_its_end() -> None:
    body = json.dumps({"data": "x" * (20 << 20), "model": "m", "usage": {"prompt_tokens": 7, "completion_tokens": 1}})
    found = metered(CHAT, JSON, body.encode(), step=65536)
    assert found.usage == Usage(input_uncached=7, output=1)
    assert found.note == "a body past 8 MiB, read from its end"


def test_a_body_cut_before_its_end_is_noted() -> None:
    whole = json.dumps({"usage": {"prompt_tokens": 7}, "choices": ["x" * 500]}).encode()
    found = metered(CHAT, JSON, whole[:300])
    assert found.usage == Usage(input_uncached=7)
    assert found.note == "1 messages not readable"


@functools.cache
def gibibyte_of_zeros(coding: bytes) -> bytes:
    zeros = bytes(1 << 20)
    if coding == b"gzip":
        squeeze = zlib.compressobj(level=1, wbits=31)
        return b"".join(squeeze.compress(zeros) for _ in range(1024)) + squeeze.flush()
    if coding == b"zstd":
        frame = zstandard.ZstdCompressor(level=1).compressobj()
        return b"".join(frame.compress(zeros) for _ in range(1024)) + frame.flush()
    packer = brotli.Compressor(quality=0)
    return b"".join(packer.process(zeros) for _ in range(1024)) + bytes(packer.finish())


@pytest.mark.parametrize("coding", [b"gzip", b"zstd", b"br"])
@pytest.mark.parametrize("kind", [SSE, JSON])
def test_memory_stays_flat_under_a_bomb_of_a_gibibyte(coding: bytes, kind: bytes) -> None:
    load = gibibyte_of_zeros(coding)
    tracemalloc.start()
    try:
        found = metered(ANTHROPIC, kind, load, coding=coding, step=65536)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert not found.decoded_ok
    assert peak < 32 << 20


def test_finishing_again_says_the_same() -> None:
    meter = Meter(ANTHROPIC, content_type=SSE, content_encoding=None)
    meter.feed(ANTHROPIC_STREAM.rstrip())
    assert meter.finish() == meter.finish()


def test_a_path_that_nobody_parses_is_not_metered() -> None:
    found = metered(DialectName.OTHER, SSE, ANTHROPIC_STREAM, step=99)
    assert found == Metered()


def test_an_endless_line_fed_in_small_pieces_costs_no_quadratic_time() -> None:
    meter = Meter(ANTHROPIC, content_type=SSE, content_encoding=None)
    meter.feed(b"data: ")
    for _ in range(100_000):
        meter.feed(b"0123456789")
    meter.feed(b"\n\n")
    assert meter.finish().decoded_ok
