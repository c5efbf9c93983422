"""Calls of the official openai SDK: chat, responses, embeddings, models."""

from typing import Any

import openai
from report import Calls, error_of, main, weather_schema

CHAT_TOOL = {"type": "function", "function": {"name": "weather", "parameters": weather_schema()}}
TOOL = {"type": "function", "name": "weather", "parameters": weather_schema(), "strict": False}


def calls(url: str) -> Calls:
    client = openai.OpenAI(base_url=url + "/v1", api_key="sk-scripted", max_retries=0, timeout=20)
    model = "gpt-scripted"
    turns: list[Any] = [{"role": "user", "content": "Say hello, Zoë."}]

    def chat() -> Any:
        answer = client.chat.completions.create(model=model, messages=turns)
        return {"text": answer.choices[0].message.content, "usage": chat_usage(answer.usage)}

    def chat_stream() -> Any:
        chunks = list(
            client.chat.completions.create(
                model=model, messages=turns, stream=True, stream_options={"include_usage": True}
            )
        )
        pieces = [
            chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content
        ]
        return {"pieces": pieces, "usage": chat_usage(chunks[-1].usage)}

    def chat_tool() -> Any:
        answer = client.chat.completions.create(model=model, messages=turns, tools=[CHAT_TOOL])
        message = answer.choices[0].message
        call = message.tool_calls[0]
        result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
        after = client.chat.completions.create(
            model=model, messages=[*turns, message.model_dump(exclude_none=True), result], tools=[CHAT_TOOL]
        )
        return {
            "name": call.function.name,
            "arguments": call.function.arguments,
            "text": after.choices[0].message.content,
        }

    def responses() -> Any:
        answer = client.responses.create(model=model, input="Say hello, Zoë.")
        return {"text": answer.output_text, "usage": responses_usage(answer.usage)}

    def responses_stream() -> Any:
        with client.responses.stream(model=model, input="Say hello, Zoë.") as events:
            pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
            final = events.get_final_response()
        return {"pieces": pieces, "text": final.output_text, "usage": responses_usage(final.usage)}

    def responses_tool() -> Any:
        answer = client.responses.create(model=model, input="Weather?", tools=[TOOL])
        return {"name": answer.output[0].name, "arguments": answer.output[0].arguments}

    def embed() -> Any:
        return client.embeddings.create(model="embed-scripted", input=["one", "two"]).data[1].embedding

    def failing(status: int) -> Any:
        return error_of(lambda: client.chat.completions.create(model=f"gpt-error-{status}", messages=turns))

    return {
        "chat": chat,
        "chat_stream": chat_stream,
        "chat_tool": chat_tool,
        "responses": responses,
        "responses_stream": responses_stream,
        "responses_tool": responses_tool,
        "embed": embed,
        "models": lambda: [one.id for one in client.models.list()],
        "error_400": lambda: failing(400),
        "error_429": lambda: failing(429),
        "error_503": lambda: failing(503),
    }


def chat_usage(usage: Any) -> list[int]:
    return [usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens, usage.completion_tokens]


def responses_usage(usage: Any) -> list[int]:
    return [usage.input_tokens, usage.input_tokens_details.cached_tokens, usage.output_tokens]


main(calls)
