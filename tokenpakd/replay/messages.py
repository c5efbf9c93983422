"""Messages of a transcript, in OpenAI Chat or Anthropic Messages form, as neutral turns."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from tokenpakd.replay.conversation import Conversation, Role, Tool, ToolCall, Turn

_ROLES = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "tool": Role.TOOL,
}
"""Other roles ("exit" and the like) are notes of the harness: they were never sent."""
_OWN_BLOCKS = frozenset(("tool_use", "tool_result", "thinking", "redacted_thinking", "server_tool_use", "document"))

Object = dict[str, Any]


def conversation(source: Object, name: str) -> Conversation:
    """Return the conversation of an object with `messages` or `traj`."""
    said = source.get("traj") if "traj" in source else source.get("messages")
    listed = [message for message in said if isinstance(message, dict)] if isinstance(said, list) else []
    has_blocks = is_anthropic(source)
    turns = [turn for message in listed for turn in (_block_turns(message) if has_blocks else _chat_turns(message))]
    instructions = source.get("system")
    if instructions:
        turns.insert(0, Turn(role=Role.SYSTEM, texts=_texts(instructions), blocks=_blocks(instructions)))
    model = source.get("model")
    return Conversation(
        name=name,
        turns=tuple(turns),
        tools=tuple(_tools(source.get("tools"))),
        model=model if isinstance(model, str) else None,
        asks_end="model" in source,
    )


def is_anthropic(source: Object) -> bool:
    """Say whether an object with `messages` is in Anthropic Messages form."""
    if "system" in source or "anthropic_version" in source:
        return True
    tools = source.get("tools")
    if isinstance(tools, list) and any(isinstance(tool, dict) and "input_schema" in tool for tool in tools):
        return True
    said = source.get("messages")
    contents = [one.get("content") for one in said if isinstance(one, dict)] if isinstance(said, list) else []
    blocks = [block for content in contents if isinstance(content, list) for block in content]
    return any(isinstance(block, dict) and block.get("type") in _OWN_BLOCKS for block in blocks)


def _chat_turns(message: Object) -> Iterator[Turn]:
    role = _ROLES.get(str(message.get("role")))
    if role is None:
        return
    calls = message.get("tool_calls")
    yield Turn(
        role=role,
        texts=_texts(message.get("content")),
        calls=tuple(_chat_calls(calls)) if isinstance(calls, list) else (),
        call_id=str(message.get("tool_call_id") or ""),
    )


def _chat_calls(calls: Sequence[object]) -> Iterator[ToolCall]:
    for call in calls:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(call, dict) and isinstance(function, dict):
            arguments = function.get("arguments")
            text = arguments if isinstance(arguments, str) else msgspec.json.encode(arguments or {}).decode()
            yield ToolCall(id=str(call.get("id") or ""), name=str(function.get("name") or ""), arguments=text)


def _block_turns(message: Object) -> Iterator[Turn]:
    """Yield one turn for an assistant's message; of a user's one for each result and one for each run of the rest."""
    role = _ROLES.get(str(message.get("role")))
    content = message.get("content")
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if role is None or not isinstance(blocks, list):
        return
    blocks = [block for block in blocks if isinstance(block, dict)]
    if role is not Role.USER:
        yield _turn(role, blocks)
        return
    run: list[Object] = []
    for block in blocks:
        if block.get("type") != "tool_result":
            run.append(block)
            continue
        if run:
            yield _turn(role, run)
            run = []
        yield _turn(Role.TOOL, [block])
    if run:
        yield _turn(role, run)


def _turn(role: Role, blocks: list[Object]) -> Turn:
    calls = [block for block in blocks if block.get("type") == "tool_use"]
    texts = _texts(blocks[0].get("content")) if role is Role.TOOL else _texts(blocks)
    return Turn(
        role=role,
        texts=texts,
        calls=tuple(
            ToolCall(
                id=str(call.get("id") or ""),
                name=str(call.get("name") or ""),
                arguments=msgspec.json.encode(call.get("input") or {}).decode(),
            )
            for call in calls
        ),
        call_id=str(blocks[0].get("tool_use_id") or "") if role is Role.TOOL else "",
        blocks=_blocks(blocks),
    )


def _texts(content: object) -> tuple[str, ...]:
    if isinstance(content, str):
        return (content,)
    if not isinstance(content, list):
        return ()
    return tuple(
        part["text"]
        for part in content
        if isinstance(part, dict)
        and part.get("type") in ("text", "input_text", "output_text", None)
        and isinstance(part.get("text"), str)
    )


def _blocks(content: object) -> tuple[msgspec.Raw, ...]:
    if not isinstance(content, list):
        return ()
    return tuple(msgspec.Raw(msgspec.json.encode(block)) for block in content if isinstance(block, dict))


def _tools(tools: object) -> Iterator[Tool]:
    for tool in tools if isinstance(tools, list) else ():
        if not isinstance(tool, dict):
            continue
        function = tool.get("function")
        named = function if isinstance(function, dict) else tool
        schema = named.get("input_schema", named.get("parameters", {"type": "object"}))
        if isinstance(named.get("name"), str):
            yield Tool(
                name=named["name"],
                description=str(named.get("description") or ""),
                schema=msgspec.Raw(msgspec.json.encode(schema)),
            )
