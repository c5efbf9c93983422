"""The demo provider's responses on both wires, as bytes; the same question gets the same answer. Pure."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from tokenpakd.demo.blocks import tokens_of
from tokenpakd.demo.prompt_cache import Charge

MODELS = ("demo-large", "demo-small")
_PIECE_CHARACTERS = 24

Content = Sequence[dict[str, Any]]
"""An assistant turn as Anthropic content blocks: text and tool_use."""


def short_answer(model: str) -> Content:
    """Return what is said to a question that no recorded session holds."""
    return [
        {
            "type": "text",
            "text": f"This is {model}, the demo provider: no model runs here and nothing left this machine.",
        }
    ]


def output_tokens(content: Content) -> int:
    """Return the estimate of an answer's tokens."""
    return sum(tokens_of(block.get("text") or _compact(block.get("input", {})).decode()) + 4 for block in content)


def anthropic_unary(number: int, model: str, content: Content, charge: Charge) -> bytes:
    """Return a whole Anthropic message."""
    stop = "tool_use" if any(block["type"] == "tool_use" for block in content) else "end_turn"
    rest = {"content": list(content), "stop_reason": stop, "stop_sequence": None}
    return _compact(_message(number, model) | rest | {"usage": _anthropic_usage(charge, output_tokens(content))})


def anthropic_stream(number: int, model: str, content: Content, charge: Charge) -> Iterator[bytes]:
    """Yield the events of an Anthropic stream, each ready to be sent."""
    empty: dict[str, Any] = {"content": [], "stop_reason": None, "stop_sequence": None}
    start = _message(number, model) | empty | {"usage": _anthropic_usage(charge, 1)}
    yield _event("message_start", {"message": start})
    yield _event("ping", {})
    for index, block in enumerate(content):
        if block["type"] == "text":
            opened, deltas = (
                block | {"text": ""},
                [{"type": "text_delta", "text": part} for part in _cut(block["text"])],
            )
        else:
            parts = _cut(_compact(block["input"]).decode())
            opened, deltas = (
                block | {"input": {}},
                [{"type": "input_json_delta", "partial_json": part} for part in parts],
            )
        yield _event("content_block_start", {"index": index, "content_block": opened})
        for delta in deltas:
            yield _event("content_block_delta", {"index": index, "delta": delta})
        yield _event("content_block_stop", {"index": index})
    stop = "tool_use" if any(block["type"] == "tool_use" for block in content) else "end_turn"
    usage = _anthropic_usage(charge, output_tokens(content))
    yield _event("message_delta", {"delta": {"stop_reason": stop, "stop_sequence": None}, "usage": usage})
    yield _event("message_stop", {})


def openai_unary(number: int, model: str, content: Content, charge: Charge) -> bytes:
    """Return a whole chat completion."""
    text, calls = _spoken(content)
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
    head = _completion(number, model, "chat.completion")
    return _compact(head | {"choices": [choice], "usage": _openai_usage(charge, output_tokens(content))})


def openai_stream(number: int, model: str, content: Content, charge: Charge, *, with_usage: bool) -> Iterator[bytes]:
    """Yield the chunks of a chat completion; the usage chunk only where it was asked for."""
    text, calls = _spoken(content)
    head = _completion(number, model, "chat.completion.chunk")
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, *({"content": part} for part in _cut(text))]
    deltas += [{"tool_calls": [{"index": index, **call}]} for index, call in enumerate(calls)]
    for delta in deltas:
        yield _data(head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    finish = "tool_calls" if calls else "stop"
    yield _data(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    if with_usage:
        yield _data(head | {"choices": [], "usage": _openai_usage(charge, output_tokens(content))})
    yield b"data: [DONE]\n\n"


def models(*, is_anthropic: bool) -> bytes:
    """Return the list of models in the caller's dialect."""
    if is_anthropic:
        made = "2026-01-01T00:00:00Z"
        data: list[dict[str, Any]] = [
            {"type": "model", "id": name, "display_name": name, "created_at": made} for name in MODELS
        ]
        return _compact({"data": data, "has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]})
    data = [{"id": name, "object": "model", "created": 1_767_225_600, "owned_by": "demo"} for name in MODELS]
    return _compact({"object": "list", "data": data})


def anthropic_error(kind: str, message: str) -> bytes:
    """Return an error in the Anthropic shape."""
    return _compact({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_demo"})


def openai_error(kind: str, message: str) -> bytes:
    """Return an error in the OpenAI shape."""
    return _compact({"error": {"message": message, "type": kind, "param": None, "code": None}})


def _spoken(content: Content) -> tuple[str, list[dict[str, Any]]]:
    text = "".join(block["text"] for block in content if block["type"] == "text")
    calls = [
        {
            "id": block["id"],
            "type": "function",
            "function": {"name": block["name"], "arguments": _compact(block["input"]).decode()},
        }
        for block in content
        if block["type"] == "tool_use"
    ]
    return text, calls


def _message(number: int, model: str) -> dict[str, Any]:
    return {"id": f"msg_demo{number:06d}", "type": "message", "role": "assistant", "model": model}


def _completion(number: int, model: str, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-demo{number:06d}", "object": kind, "created": 1_767_225_600, "model": model}


def _anthropic_usage(charge: Charge, output: int) -> dict[str, Any]:
    return {
        "input_tokens": charge.plain,
        "cache_creation_input_tokens": charge.write_5m + charge.write_1h,
        "cache_read_input_tokens": charge.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": charge.write_5m,
            "ephemeral_1h_input_tokens": charge.write_1h,
        },
        "output_tokens": output,
    }


def _openai_usage(charge: Charge, output: int) -> dict[str, Any]:
    details = {"cached_tokens": charge.read, "cache_write_tokens": charge.write_5m}
    return {
        "prompt_tokens": charge.tokens,
        "completion_tokens": output,
        "total_tokens": charge.tokens + output,
        "prompt_tokens_details": details,
    }


def _cut(text: str) -> list[str]:
    return [text[start : start + _PIECE_CHARACTERS] for start in range(0, len(text), _PIECE_CHARACTERS)]


def _event(name: str, value: dict[str, Any]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + _compact({"type": name, **value}) + b"\n\n"


def _data(value: dict[str, Any]) -> bytes:
    return b"data: " + _compact(value) + b"\n\n"


def _compact(value: object) -> bytes:
    # A lone surrogate has no UTF-8; a provider would not send one either.
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
