"""A request of either wire as the demo provider bills it: validated, cut into blocks, counted. Pure.

Tokens are an estimate, the same for every arm: one for each 3.5 bytes of UTF-8 of what the model would read, rounded
up, and four for the frame of each block. No tokenizer of a real provider is imitated.
"""

import hashlib
import json
from typing import Any

import msgspec

from tokenpakd.demo.prompt_cache import TTL_1H_S, TTL_5M_S, Block

_BYTES_PER_TOKEN = 3.5
_FRAME_TOKENS = 4
_MARKERS_MAX = 4


class BadRequestError(Exception):
    """The request is not one that a provider would answer; the text says why."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request that can be answered. `turn` counts the assistant messages in it; `opening` is its first user text."""

    model: str
    is_stream: bool
    wants_usage: bool
    blocks: tuple[Block, ...]
    turn: int
    opening: str


def tokens_of(text: str) -> int:
    """Return the estimate for a text, without a frame."""
    return -int(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN)


def read_anthropic(body: object) -> Asked:
    """Read an Anthropic Messages body.

    Raises:
      BadRequestError: as a provider would refuse it, tool results without their call included.
    """
    request = _object(body, "body")
    messages = _messages(request)
    blocks = [_block("tool", tool, _text(tool)) for tool in _list(request.get("tools"), "tools")]
    blocks += [_anthropic_block("system", part) for part in _parts(request.get("system"))]
    turn = 0
    opening = ""
    pending: set[str] = set()
    for index, message in enumerate(messages):
        role = message.get("role")
        if role not in {"user", "assistant", "system"}:
            raise BadRequestError(f'messages.{index}.role: must be "user" or "assistant"')
        parts = _parts(message.get("content"))
        if not parts:
            raise BadRequestError(f"messages.{index}: all messages must have non-empty content")
        _check_results(index, role, parts, pending)
        blocks += [_anthropic_block(role, part) for part in parts]
        turn += role == "assistant"
        if role == "user" and not opening:
            opening = next((part["text"] for part in parts if isinstance(part.get("text"), str)), "")
    _check_markers(blocks)
    return Asked(
        model=_model(request),
        is_stream=request.get("stream") is True,
        wants_usage=True,
        blocks=tuple(blocks),
        turn=turn,
        opening=opening,
    )


def read_openai(body: object) -> Asked:
    """Read an OpenAI Chat body.

    Raises:
      BadRequestError: as a provider would refuse it, tool messages without their call included.
    """
    request = _object(body, "body")
    messages = _messages(request)
    blocks = [_block("tool", tool, _text(tool)) for tool in _list(request.get("tools"), "tools")]
    turn = 0
    opening = ""
    called: set[str] = set()
    for index, message in enumerate(messages):
        role = str(message.get("role"))
        if role == "tool":
            if message.get("tool_call_id") not in called:
                raise BadRequestError(
                    f"messages.{index}: messages with role 'tool' must be a response to a preceding message with"
                    " 'tool_calls'"
                )
        elif role == "assistant":
            turn += 1
            calls = _list(message.get("tool_calls"), f"messages.{index}.tool_calls")
            called = {str(call.get("id")) for call in calls}
        elif role in {"user", "system", "developer"}:
            called = set()
        else:
            raise BadRequestError(f"messages.{index}.role: unknown role {role!r}")
        rest = {key: value for key, value in message.items() if key not in {"role", "content"}}
        parts: list[dict[str, Any]] = _parts(message.get("content"))
        if rest:
            parts = [*parts, {"type": "fields", **rest}]
        blocks += [_block(role, part, _text(part)) for part in parts]
        if role == "user" and not opening:
            opening = next((part["text"] for part in parts if isinstance(part.get("text"), str)), "")
    if blocks:
        blocks[-1] = msgspec.structs.replace(blocks[-1], ttl_s=TTL_5M_S)
    options = request.get("stream_options")
    return Asked(
        model=_model(request),
        is_stream=request.get("stream") is True,
        wants_usage=isinstance(options, dict) and options.get("include_usage") is True,
        blocks=tuple(blocks),
        turn=turn,
        opening=opening,
    )


def _check_results(index: int, role: object, parts: list[dict[str, Any]], pending: set[str]) -> None:
    """Check a message's tool results against the calls of the one before; `pending` then holds its own calls."""
    results = {str(part.get("tool_use_id")) for part in parts if part.get("type") == "tool_result"}
    if role == "user":
        for stray in sorted(results - pending):
            raise BadRequestError(
                f"messages.{index}: unexpected `tool_use_id` found in `tool_result` blocks: {stray}. Each `tool_result`"
                " block must have a corresponding `tool_use` block in the previous message."
            )
        for lost in sorted(pending - results):
            raise BadRequestError(
                f"messages.{index}: `tool_use` {lost} was found without a `tool_result` block after it"
            )
    if role != "system":
        pending.clear()
    if role == "assistant":
        pending.update(str(part.get("id")) for part in parts if part.get("type") == "tool_use")


def _check_markers(blocks: list[Block]) -> None:
    marked = [block.ttl_s for block in blocks if block.ttl_s is not None]
    if len(marked) > _MARKERS_MAX:
        raise BadRequestError(
            f"A maximum of {_MARKERS_MAX} blocks with cache_control may be provided. Found {len(marked)}."
        )
    if marked != sorted(marked, reverse=True):
        raise BadRequestError("a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block")


def _anthropic_block(role: str, part: dict[str, Any]) -> Block:
    kind = part.get("type")
    run = str(kind) if kind in {"tool_use", "tool_result"} else ""
    return _block(role, part, _text(part), run)


def _block(role: str, part: dict[str, Any], text: str, run: str = "") -> Block:
    marker = part.get("cache_control")
    ttl_s = None
    if isinstance(marker, dict):
        ttl_s = TTL_1H_S if marker.get("ttl") == "1h" else TTL_5M_S
    bare = {key: value for key, value in part.items() if key != "cache_control"}
    if part.get("type") == "tool_result":
        bare["content"] = _parts(part.get("content"))
    canonical = json.dumps([role, bare], separators=(",", ":"), sort_keys=True)
    digest = hashlib.blake2b(canonical.encode(), digest_size=16).digest()
    return Block(digest=digest, tokens=tokens_of(text) + _FRAME_TOKENS, ttl_s=ttl_s, run=run)


def _text(part: dict[str, Any]) -> str:
    """Yield what the model reads of a block: its text, or for anything else its compact JSON."""
    if isinstance(part.get("text"), str) and part.get("type") in {"text", None}:
        return str(part["text"])
    if part.get("type") == "tool_result":
        return "".join(_text(inner) for inner in _parts(part.get("content")))
    bare = {key: value for key, value in part.items() if key != "cache_control"}
    return json.dumps(bare, separators=(",", ":"), ensure_ascii=False)


def _parts(content: object) -> list[dict[str, Any]]:
    """Yield content as a list of blocks; a string is one text block."""
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return _list(content, "content")


def _messages(request: dict[str, Any]) -> list[dict[str, Any]]:
    messages = _list(request.get("messages"), "messages")
    if not messages:
        raise BadRequestError("messages: at least one message is required")
    return messages


def _model(request: dict[str, Any]) -> str:
    model = request.get("model")
    if not isinstance(model, str) or not model.startswith("demo-"):
        raise BadRequestError(f"model: this provider serves demo-* models, not {model!r}")
    return model


def _list(value: object, name: str) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise BadRequestError(f"{name}: must be a list of objects")
    return value


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadRequestError(f"{name}: must be an object")
    return value
