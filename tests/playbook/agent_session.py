"""An agent's conversation, request by request, on three wires, as clients that know nothing of us send it.

Anthropic as Claude Code writes it: a cache marker on the system prompt and one that wanders along the newest blocks;
what was a list of one text block is a bare string on later turns.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Message = dict[str, Any]

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "mini-swe-agent"
"""Recorded conversations that lie beside a checkout, if at all."""

_MARK = {"cache_control": {"type": "ephemeral"}}
_SYSTEM = "You repair a Python package. Read before you write; run the tests after every change. " * 70
_MODELS = {"anthropic": "claude-sonnet-4-5", "chat": "gpt-4.1", "responses": "gpt-4.1"}
_SCHEMA = {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}
TARGETS = {"anthropic": "/v1/messages", "chat": "/v1/chat/completions", "responses": "/v1/responses"}


def written(turns: int = 24) -> list[Message]:
    """Return a conversation of the tests' own in OpenAI chat form: reads, reads again, edits, greps, logs, JSON."""
    source = "\n".join(
        f"    def step_{number}(self, value):\n        return self.table[{number}] + value * {number % 7}"
        for number in range(60)
    )
    rows = range(30)
    outputs: tuple[tuple[str, Callable[[int], str]], ...] = (
        ("cat pkg/core.py", lambda turn: f"class Core:\n{source}\n# revision {turn // 8}"),
        ("grep -rn step pkg", lambda turn: "\n".join(f"pkg/core.py:{turn + row}: def step_{row}" for row in rows)),
        ("pytest -v", _tested),
        ("cat state.json", lambda turn: json.dumps([{"id": row, "name": f"row {row}", "turn": turn} for row in rows])),
        ("make", lambda turn: "\n".join(f"\x1b[32mok\x1b[0m unit {row * turn}\rdone {row}   " for row in rows)),
        ("cat run.log", _logged),
    )
    task = {"role": "user", "content": "Make the tests pass."}
    messages: list[Message] = [{"role": "system", "content": _SYSTEM}, task]
    for turn in range(turns):
        command, output = outputs[turn % len(outputs)]
        call = {"name": "bash", "arguments": json.dumps({"command": command})}
        messages.append(
            {"role": "assistant", "content": f"Step {turn}.", "tool_calls": [{"id": f"call_{turn}", "function": call}]}
        )
        messages.append({"role": "tool", "tool_call_id": f"call_{turn}", "content": output(turn)})
    return messages


def _tested(turn: int) -> str:
    lines = [f"tests/test_core.py::test_step_{row} PASSED [{row * 2}%]" for row in range(40 + turn)]
    head, foot = (f" {said} ".center(80, "=") for said in ("test session starts", f"{len(lines)} passed in 0.42s"))
    return "\n".join([head, *lines, "", foot])


def _logged(turn: int) -> str:
    return "\n".join(
        f"2024-05-01 10:{turn:02}:{row % 60:02},{row:03} INFO worker-{row % 4} finished job {row * turn} in {row}ms"
        for row in range(120)
    )


def recorded(name: str) -> list[Message] | None:
    """Return a recorded conversation in OpenAI chat form; None where the recordings are not there."""
    found = sorted(SHARED.glob(f"*{name}*.json"))
    if not found:
        return None
    messages: list[Message] = json.loads(found[0].read_text())["messages"]
    return messages


def ends(messages: list[Message]) -> list[int]:
    """Return how many messages each request of the conversation holds."""
    return [number for number, message in enumerate(messages) if message["role"] == "assistant" and number > 1]


def request(wire: str, messages: list[Message], end: int, **more: object) -> bytes:
    """Return the body of the request that holds the first `end` messages; `more` replaces fields."""
    build = {"anthropic": _anthropic, "chat": _chat, "responses": _responses}[wire]
    return json.dumps({"model": _MODELS[wire], **build(messages[:end]), **more}).encode()


def _chat(messages: list[Message]) -> Message:
    function = {"name": "bash", "description": "Run a command.", "parameters": _SCHEMA}
    told = [
        {**message, "tool_calls": [{"type": "function", **call} for call in message["tool_calls"]]}
        if message.get("tool_calls")
        else message
        for message in messages
    ]
    return {"messages": told, "tools": [{"type": "function", "function": function}]}


def _responses(messages: list[Message]) -> Message:
    items: list[Message] = []
    for message in messages[1:]:
        if message["role"] == "tool":
            call = message["tool_call_id"]
            items.append({"type": "function_call_output", "call_id": call, "output": message["content"]})
            continue
        kind = "input_text" if message["role"] == "user" else "output_text"
        if message.get("content"):
            content = [{"type": kind, "text": message["content"]}]
            items.append({"type": "message", "role": message["role"], "content": content})
        calls = message.get("tool_calls") or ()
        items += [{"type": "function_call", "call_id": call["id"], **_called(call)} for call in calls]
    tool = {"type": "function", "name": "bash", "description": "Run a command.", "parameters": _SCHEMA}
    return {"instructions": messages[0]["content"], "input": items, "tools": [tool], "store": False}


def _called(call: Message) -> Message:
    return {name: call["function"][name] for name in ("name", "arguments")}


def _anthropic(messages: list[Message]) -> Message:
    told: list[Message] = []
    for message in messages[1:]:
        role = "assistant" if message["role"] == "assistant" else "user"
        if not told or told[-1]["role"] != role:
            told.append({"role": role, "content": []})
        told[-1]["content"] += _blocks(message)
    users = [message for message in told if message["role"] == "user"]
    for message in users[:-2]:
        message["content"] = _aged(message["content"])
    for message in users[-2:]:
        message["content"][-1] |= _MARK
    tool = {"name": "bash", "description": "Run a command.", "input_schema": _SCHEMA}
    system = [{"type": "text", "text": messages[0]["content"], **_MARK}]
    return {"max_tokens": 8, "system": system, "tools": [tool], "messages": told}


def _blocks(message: Message) -> list[Message]:
    if message["role"] == "tool":
        content = [{"type": "text", "text": message["content"]}]
        return [{"type": "tool_result", "tool_use_id": message["tool_call_id"], "content": content}]
    blocks: list[Message] = [{"type": "text", "text": message["content"]}] if message.get("content") else []
    for call in message.get("tool_calls") or ():
        name, arguments = _called(call).values()
        blocks.append({"type": "tool_use", "id": call["id"], "name": name, "input": json.loads(arguments)})
    return blocks


def _aged(blocks: list[Message]) -> Any:
    """Return the content as it is written on a later turn: a single text is a bare string."""
    if len(blocks) == 1 and blocks[0]["type"] == "text":
        return blocks[0]["text"]
    return [{**block, "content": block["content"][0]["text"]} if "tool_use_id" in block else block for block in blocks]


def frame_and_messages(body: bytes) -> tuple[Message, list[Any]]:
    """Return what the provider reads before all messages, and each message, in one spelling without cache markers."""
    fields = json.loads(body)
    told = fields.pop("messages", None) or fields.pop("input")
    return _plain(fields), [_plain(message) for message in told]


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: _plain(item) for key, item in value.items() if key != "cache_control"}
    content = found.get("content")
    if isinstance(content, str):
        found["content"] = [{"type": "text", "text": content}]
    return found
