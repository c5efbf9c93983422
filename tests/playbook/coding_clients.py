"""The requests of four coding agents for a programmer's steps, in the shapes that they really send.

Claude Code on Anthropic Messages (markers that wander, thinking, strings that were lists), Codex on OpenAI Responses,
Gemini CLI, opencode on OpenAI Chat.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.playbook import coding_tools, coding_tools_elsewhere
from tests.playbook.coding_tools import Act
from tests.playbook.coding_workspace import Step
from tokenpakd.exchange.request import DialectName
from tokenpakd.replay.conversation import Request

Json = Any

_SYSTEM = "You are an agent that works in one repository. Read before you write; test after every change. " * 70
_MARK = {"cache_control": {"type": "ephemeral"}}


def claude_code(steps: Sequence[Step], *, mark: str = "→", has_snippets: bool = True) -> Iterator[Request]:
    """Yield the requests of Claude Code; older versions wrote an arrow, showed snippets and a reminder."""
    acts = [coding_tools.claude(step, mark, has_snippets=has_snippets) for step in steps]
    reminded = [act._replace(beside=coding_tools.UNUSED) if nth % 9 == 8 else act for nth, act in enumerate(acts)]
    return _requests(reminded, _anthropic)


def codex(steps: Sequence[Step]) -> Iterator[Request]:
    """Yield the requests of Codex."""
    return _requests([coding_tools_elsewhere.codex(step, nth) for nth, step in enumerate(steps)], _responses)


def gemini_cli(steps: Sequence[Step]) -> Iterator[Request]:
    """Yield the requests of Gemini CLI."""
    return _requests([coding_tools_elsewhere.gemini(step) for step in steps], _gemini)


def opencode(steps: Sequence[Step]) -> Iterator[Request]:
    """Yield the requests of opencode."""
    return _requests([coding_tools_elsewhere.opencode(step) for step in steps], _chat)


CLIENTS: dict[str, Callable[[Sequence[Step]], Iterator[Request]]] = {
    "claude-arrow": claude_code,
    "claude-tab": lambda steps: claude_code(steps, mark="\t", has_snippets=False),
    "codex": codex,
    "gemini": gemini_cli,
    "opencode": opencode,
}


def _requests(acts: Sequence[Act], wire: Callable[[Sequence[Act]], Request]) -> Iterator[Request]:
    """Yield a request before each answer of the model, with what the model writes next."""
    for end, act in enumerate(acts):
        if act.name and end:
            given = act.arguments if isinstance(act.arguments, str) else json.dumps(act.arguments)
            answer = (act.says, *_strings(json.loads(given) if given.startswith("{") else given))
            request = wire(acts[:end])
            yield Request(dialect=request.dialect, path=request.path, body=request.body, answer=answer)
    yield wire(acts)


def _strings(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner)
    else:
        yield str(value)


def _anthropic(acts: Sequence[Act]) -> Request:
    messages: list[Json] = []
    for nth, act in enumerate(acts):
        blocks: list[Json] = []
        if act.name:
            said = [{"type": "thinking", "thinking": f"Step {nth}.", "signature": f"sig{nth}=="}]
            said += [{"type": "text", "text": act.says}] if act.says else []
            use = {"type": "tool_use", "id": f"toolu_{nth:04}", "name": act.name, "input": act.arguments}
            messages.append({"role": "assistant", "content": [*said, use]})
            result = {"tool_use_id": f"toolu_{nth:04}", "type": "tool_result", "content": act.result}
            blocks.append({**result, "is_error": True} if act.is_error else result)
        blocks += [{"type": "text", "text": text} for text in (act.user, act.beside) if text]
        if messages and messages[-1]["role"] == "user":
            messages[-1]["content"] += blocks
        else:
            messages.append({"role": "user", "content": blocks})
    for message in messages[:-1]:
        blocks = message["content"]
        if len(blocks) == 1 and blocks[0]["type"] == "text":
            message["content"] = blocks[0]["text"]
    messages[-1]["content"][-1] = {**messages[-1]["content"][-1], **_MARK}
    system = [{"type": "text", "text": _SYSTEM, **_MARK}]
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in ("Read", "Edit", "Bash")]
    fields = {"model": "claude-sonnet-4-5", "messages": messages, "system": system, "tools": tools, "max_tokens": 9}
    return _request(DialectName.ANTHROPIC, b"/v1/messages", fields)


def _responses(acts: Sequence[Act]) -> Request:
    items: list[Json] = [{"type": "message", "role": "developer", "content": [{"type": "input_text", "text": _SYSTEM}]}]
    for nth, act in enumerate(acts):
        if act.name == "apply_patch":
            items.append({"type": "custom_tool_call", "call_id": f"c{nth}", "name": act.name, "input": act.arguments})
            items.append({"type": "custom_tool_call_output", "call_id": f"c{nth}", "output": act.result})
        elif act.name:
            items.append(
                {
                    "type": "function_call",
                    "name": act.name,
                    "arguments": json.dumps(act.arguments),
                    "call_id": f"c{nth}",
                }
            )
            items.append({"type": "function_call_output", "call_id": f"c{nth}", "output": act.result})
        if act.user:
            items.append({"type": "message", "role": "user", "content": [{"type": "input_text", "text": act.user}]})
    return _request(
        DialectName.OPENAI_RESPONSES, b"/v1/responses", {"model": "gpt-5.1-codex", "stream": True, "input": items}
    )


def _gemini(acts: Sequence[Act]) -> Request:
    contents: list[Json] = []
    for act in acts:
        if act.name:
            contents.append({"role": "model", "parts": [{"functionCall": {"args": act.arguments, "name": act.name}}]})
            answer = {"functionResponse": {"name": act.name, "response": {"output": act.result}}}
            contents.append({"role": "user", "parts": [answer]})
        if act.user:
            contents.append({"role": "user", "parts": [{"text": act.user}]})
    fields = {"contents": contents, "systemInstruction": {"parts": [{"text": _SYSTEM}], "role": "user"}}
    return _request(DialectName.GEMINI, b"/v1beta/models/gemini-2.5-pro:streamGenerateContent", fields)


def _chat(acts: Sequence[Act]) -> Request:
    messages: list[Json] = [{"role": "system", "content": _SYSTEM}]
    for nth, act in enumerate(acts):
        if act.name:
            function = {"name": act.name, "arguments": json.dumps(act.arguments)}
            messages.append(
                {
                    "role": "assistant",
                    "content": act.says,
                    "tool_calls": [{"id": f"c{nth}", "type": "function", "function": function}],
                }
            )
            messages.append({"role": "tool", "tool_call_id": f"c{nth}", "content": act.result})
        if act.user:
            messages.append({"role": "user", "content": act.user})
    return _request(
        DialectName.OPENAI_CHAT, b"/v1/chat/completions", {"model": "gpt-4.1", "messages": messages, "stream": True}
    )


def _request(dialect: DialectName, path: bytes, fields: Json) -> Request:
    body = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
    return Request(dialect=dialect, path=path, body=body)
