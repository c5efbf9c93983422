"""The successive requests of a conversation, in the shapes that clients send.

As a real client does, every request repeats the turns before it. In Anthropic Messages shape a cache marker stands on
the system prompt and wanders on the last block of the newest message, tool results in a row share one user message,
and a user message of one text block is a bare string once it is no longer the newest.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from tokenpakd.exchange.request import DialectName
from tokenpakd.replay.bodies import strings
from tokenpakd.replay.conversation import Conversation, Request, Role, Tool, ToolCall, Turn

_MODELS = {DialectName.ANTHROPIC: "claude-sonnet-4-5", DialectName.OPENAI_CHAT: "gpt-4.1"}
_PATHS = {DialectName.ANTHROPIC: b"/v1/messages", DialectName.OPENAI_CHAT: b"/v1/chat/completions"}
_MARKER = {"type": "ephemeral"}
_MAX_TOKENS = 32_000

Object = dict[str, Any]


def requests(conversation: Conversation, dialect: DialectName) -> Iterator[Request]:
    """Yield the requests of a conversation in order; `dialect` is Anthropic Messages or OpenAI Chat.

    Raises:
      ValueError: another dialect.
    """
    if dialect is DialectName.ANTHROPIC:
        yield from _anthropic(conversation)
    elif dialect is DialectName.OPENAI_CHAT:
        yield from _openai_chat(conversation)
    else:
        raise ValueError(f"no conversation is rendered for {dialect.value}")


def _openai_chat(conversation: Conversation) -> Iterator[Request]:
    written = [_chat_message(turn) for turn in conversation.turns]
    rendered = [msgspec.json.encode(message) for message in written]
    rest: Object = {"model": _model(conversation, DialectName.OPENAI_CHAT)}
    if conversation.tools:
        rest["tools"] = [_chat_tool(tool) for tool in conversation.tools]
    tail = b"]," + msgspec.json.encode(rest)[1:]
    for end in _ends(conversation):
        answer = strings(written[end]) if end < len(written) else ()
        yield _request(DialectName.OPENAI_CHAT, b'{"messages":[' + b",".join(rendered[:end]) + tail, answer)


def _anthropic(conversation: Conversation) -> Iterator[Request]:
    turns = conversation.turns
    opening = next((index for index, turn in enumerate(turns) if turn.role is not Role.SYSTEM), len(turns))
    head: Object = {"model": _model(conversation, DialectName.ANTHROPIC), "max_tokens": _MAX_TOKENS}
    system = [block for turn in turns[:opening] for block in _blocks(turn)]
    if system:
        head["system"] = [*system[:-1], {**system[-1], "cache_control": _MARKER}]
    if conversation.tools:
        head["tools"] = [_anthropic_tool(tool) for tool in conversation.tools]
    start = msgspec.json.encode(head)[:-1] + b',"messages":['
    aged: list[bytes] = []  # messages that no later turn adds to
    open_role, open_blocks = "", list[Object]()
    ends = set(_ends(conversation))
    for index, turn in enumerate([*turns[opening:], None], opening):
        if index in ends and open_blocks:
            newest = [*open_blocks[:-1], {**open_blocks[-1], "cache_control": _MARKER}]
            body = start + b",".join([*aged, msgspec.json.encode({"role": open_role, "content": newest})]) + b"]}"
            answer = strings({"content": _blocks(turn)}) if turn is not None else ()
            yield _request(DialectName.ANTHROPIC, body, answer)
        if turn is None:
            return
        role = {Role.ASSISTANT: "assistant", Role.SYSTEM: "system"}.get(turn.role, "user")
        if role != open_role:
            aged += [_aged(open_role, open_blocks)] if open_blocks else []
            open_role, open_blocks = role, []
        open_blocks += _blocks(turn)


def _ends(conversation: Conversation) -> list[int]:
    """Yield how many turns each request holds."""
    turns = conversation.turns
    ends = [index for index, turn in enumerate(turns) if turn.role is Role.ASSISTANT and index]
    is_pending = bool(turns) and turns[-1].role is not Role.ASSISTANT
    if is_pending and (conversation.asks_end or not ends):
        ends.append(len(turns))
    return ends


def _request(dialect: DialectName, body: bytes, answer: tuple[str, ...]) -> Request:
    return Request(dialect=dialect, path=_PATHS[dialect], body=body, answer=answer)


def _model(conversation: Conversation, dialect: DialectName) -> str:
    return conversation.model or _MODELS[dialect]


def _chat_message(turn: Turn) -> Object:
    message: Object = {"role": turn.role.value, "content": turn.texts[0] if turn.texts else ""}
    if len(turn.texts) > 1:
        message["content"] = [{"type": "text", "text": text} for text in turn.texts]
    if turn.role is Role.TOOL:
        message["tool_call_id"] = turn.call_id
    elif turn.calls:
        message["content"] = message["content"] or None
        message["tool_calls"] = [_chat_call(call) for call in turn.calls]
    return message


def _chat_call(call: ToolCall) -> Object:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _chat_tool(tool: Tool) -> Object:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.schema}
    return {"type": "function", "function": function}


def _anthropic_tool(tool: Tool) -> Object:
    return {"name": tool.name, "description": tool.description, "input_schema": tool.schema}


def _blocks(turn: Turn) -> list[Object]:
    """Yield a turn's content blocks in Anthropic Messages form, without cache markers."""
    if turn.blocks:
        blocks = [msgspec.json.decode(raw, type=Object) for raw in turn.blocks]
        return [{key: value for key, value in block.items() if key != "cache_control"} for block in blocks]
    if turn.role is Role.TOOL:
        content: object = turn.texts[0] if turn.texts else ""
        if len(turn.texts) > 1:
            content = [{"type": "text", "text": text} for text in turn.texts]
        return [{"type": "tool_result", "tool_use_id": turn.call_id, "content": content}]
    blocks = [{"type": "text", "text": text} for text in turn.texts if text]
    return blocks + [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": _input(call.arguments)} for call in turn.calls
    ]


def _input(arguments: str) -> Object:
    try:
        return msgspec.json.decode(arguments, type=Object)
    except ValueError:  # the model wrote no JSON object: no client could have sent it as one
        return {"arguments": arguments}


def _aged(role: str, blocks: list[Object]) -> bytes:
    if role == "user" and len(blocks) == 1 and blocks[0].get("type") == "text":
        return msgspec.json.encode({"role": role, "content": blocks[0]["text"]})
    return msgspec.json.encode({"role": role, "content": blocks})
