"""Calls of the official anthropic SDK, 1.x and 2.x alike."""

from typing import Any

import anthropic
from report import Calls, error_of, main, weather_schema

TOOL = {"name": "weather", "description": "Weather of a city.", "input_schema": weather_schema()}


def calls(url: str) -> Calls:
    client = anthropic.Anthropic(base_url=url, api_key="sk-ant-scripted", max_retries=0, timeout=20)
    ask: dict[str, Any] = {"max_tokens": 64, "messages": [{"role": "user", "content": "Say hello, Zoë."}]}

    def create() -> Any:
        message = client.messages.create(model="claude-scripted", **ask)
        return {"text": message.content[0].text, "usage": usage(message), "stop": message.stop_reason}

    def stream() -> Any:
        with client.messages.stream(model="claude-scripted", **ask) as events:
            pieces = list(events.text_stream)
            final = events.get_final_message()
        return {"pieces": pieces, "text": final.content[0].text, "usage": usage(final), "stop": final.stop_reason}

    def tool() -> Any:
        message = client.messages.create(model="claude-scripted", tools=[TOOL], **ask)
        call = message.content[0]
        turns = [
            *ask["messages"],
            {"role": "assistant", "content": message.content},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}]},
        ]
        after = client.messages.create(model="claude-scripted", tools=[TOOL], max_tokens=64, messages=turns)
        return {"name": call.name, "input": call.input, "stop": message.stop_reason, "text": after.content[0].text}

    def tool_stream() -> Any:
        with client.messages.stream(model="claude-scripted", tools=[TOOL], **ask) as events:
            call = events.get_final_message().content[0]
        return {"name": call.name, "input": call.input}

    def count() -> Any:
        return client.messages.count_tokens(model="claude-scripted", messages=ask["messages"]).input_tokens

    def failing(status: int) -> Any:
        return error_of(lambda: client.messages.create(model=f"claude-error-{status}", **ask))

    return {
        "version": lambda: anthropic.__version__,
        "create": create,
        "stream": stream,
        "tool": tool,
        "tool_stream": tool_stream,
        "count": count,
        "models": lambda: [model.id for model in client.models.list()],
        "error_400": lambda: failing(400),
        "error_429": lambda: failing(429),
        "error_529": lambda: failing(529),
    }


def usage(message: Any) -> list[int]:
    return [message.usage.input_tokens, message.usage.cache_read_input_tokens, message.usage.output_tokens]


main(calls)
