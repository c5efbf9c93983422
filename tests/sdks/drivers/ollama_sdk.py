"""Calls of the official ollama SDK."""

from typing import Any

import ollama
from report import Calls, error_of, main, weather_schema

TOOL = {"type": "function", "function": {"name": "weather", "description": "", "parameters": weather_schema()}}
MODEL = "scripted:latest"


def calls(url: str) -> Calls:
    client = ollama.Client(host=url, timeout=20)
    turns = [{"role": "user", "content": "Say hello, Zoë."}]

    def chat() -> Any:
        answer = client.chat(model=MODEL, messages=turns)
        return {"text": answer.message.content, "usage": [answer.prompt_eval_count, answer.eval_count]}

    def stream() -> Any:
        chunks = list(client.chat(model=MODEL, messages=turns, stream=True))
        pieces = [chunk.message.content for chunk in chunks if chunk.message.content]
        return {"pieces": pieces, "usage": [chunks[-1].prompt_eval_count, chunks[-1].eval_count]}

    def tool() -> Any:
        call = client.chat(model=MODEL, messages=turns, tools=[TOOL]).message.tool_calls[0].function
        return {"name": call.name, "input": dict(call.arguments)}

    return {
        "chat": chat,
        "stream": stream,
        "tool": tool,
        "generate": lambda: client.generate(model=MODEL, prompt="hi").response,
        "embed": lambda: client.embed(model=MODEL, input="one").embeddings,
        "models": lambda: [model.model for model in client.list().models],
        "error_400": lambda: error_of(lambda: client.chat(model="error-400", messages=turns)),
        "error_429": lambda: error_of(lambda: client.chat(model="error-429", messages=turns)),
        "error_503": lambda: error_of(lambda: client.chat(model="error-503", messages=turns)),
    }


main(calls)
