"""A short conversation in every form that a transcript may have."""

import json
from typing import Any

Object = dict[str, Any]

SOURCE = "\n".join(f"def line_{number}(value): return value * {number} + offset_{number}" for number in range(80))
"""What two of the tool results show."""
SYSTEM = "You work in a repository. " * 300
"""Long enough for the provider to cache what follows it."""


def chat() -> Object:
    """A coding conversation in OpenAI Chat form: the same file is read twice."""
    return {
        "messages": [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": "Fix line_7."},
            _calling("I look.", "call_1", {"command": "cat src/lines.py"}),
            {"role": "tool", "tool_call_id": "call_1", "content": SOURCE},
            _calling("Once more.", "call_2", {"command": "cat ./src/lines.py"}),
            {"role": "tool", "tool_call_id": "call_2", "content": SOURCE},
            {"role": "assistant", "content": "line_7 is `value * 7 + offset_7`:\n" + SOURCE.split("\n")[7]},
            {"role": "exit", "content": "done"},
        ]
    }


def tau() -> list[Object]:
    """Two conversations in the form of tau-bench."""
    return [{"task_id": number, "reward": 1.0, "traj": chat()["messages"][:-1], "trial": 0} for number in range(2)]


def anthropic() -> Object:
    """The same conversation in Anthropic Messages form, with thinking and tools."""
    return {
        "about": ["made for a test"],
        "model": "claude-sonnet-4-5",
        "max_tokens": 100,
        "system": [{"type": "text", "text": SYSTEM}],
        "tools": [{"name": "Bash", "description": "Run it.", "input_schema": {"type": "object"}}],
        "messages": [
            {"role": "user", "content": "Fix line_7."},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                    {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "cat src/lines.py"}},
                    {"type": "tool_use", "id": "toolu_2", "name": "Bash", "input": {"command": "cat ./src/lines.py"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": SOURCE},
                    {"type": "tool_result", "tool_use_id": "toolu_2", "content": [{"type": "text", "text": SOURCE}]},
                    {"type": "text", "text": "Go on.", "cache_control": {"type": "ephemeral"}},
                ],
            },
            {"role": "assistant", "content": [{"type": "text", "text": "Done."}]},
        ],
    }


def claude_code() -> list[Object]:
    """Records of a Claude Code session: one answer in two records, a side chain, a compaction, notes."""
    first = {"role": "assistant", "id": "msg_1", "content": [{"type": "text", "text": "I look."}]}
    call = {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"file_path": "src/lines.py"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": SOURCE}
    return [
        {"type": "summary", "summary": "Fixing line_7"},
        {"type": "file-history-snapshot", "messageId": "x"},
        {"type": "user", "isSidechain": False, "message": {"role": "user", "content": "Fix line_7."}},
        {"type": "assistant", "isSidechain": False, "message": first},
        {"type": "assistant", "isSidechain": False, "message": {**first, "content": [call]}},
        {"type": "user", "isSidechain": True, "message": {"role": "user", "content": "Search."}},
        {"type": "assistant", "isSidechain": True, "message": {**first, "id": "msg_9"}},
        {"type": "user", "isSidechain": False, "message": {"role": "user", "content": [result]}},
        {"type": "assistant", "isSidechain": False, "message": {**first, "id": "msg_2"}},
        {"type": "system", "subtype": "compact_boundary", "isSidechain": False},
        {"type": "user", "isSidechain": False, "message": {"role": "user", "content": "So far: nothing."}},
        {"type": "assistant", "isSidechain": False, "message": {**first, "id": "msg_3"}},
    ]


def encoded(value: object) -> bytes:
    """One JSON document."""
    return json.dumps(value).encode()


def lines(values: list[Object]) -> bytes:
    """JSON lines."""
    return b"".join(encoded(value) + b"\n" for value in values)


def _calling(text: str, id_: str, arguments: Object) -> Object:
    function = {"name": "bash", "arguments": json.dumps(arguments)}
    return {
        "role": "assistant",
        "content": text,
        "tool_calls": [{"id": id_, "type": "function", "function": function}],
    }
