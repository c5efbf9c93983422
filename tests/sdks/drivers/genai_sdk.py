"""Calls of the official google-genai SDK."""

from typing import Any

from google import genai
from google.genai import types
from report import Calls, error_of, main

MODEL = "gemini-scripted"


def calls(url: str) -> Calls:
    client = genai.Client(api_key="scripted", http_options=types.HttpOptions(base_url=url, timeout=20_000))
    older = genai.Client(
        api_key="scripted", http_options=types.HttpOptions(base_url=url, timeout=20_000, api_version="v1beta")
    )
    function = types.FunctionDeclaration(
        name="weather", parameters_json_schema={"type": "object", "properties": {"city": {"type": "string"}}}
    )
    with_tool = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[function])],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )

    def generate(which: Any) -> Any:
        answer = which.models.generate_content(model=MODEL, contents="Say hello, Zoë.")
        return {"text": answer.text, "usage": usage(answer)}

    def stream() -> Any:
        chunks = list(client.models.generate_content_stream(model=MODEL, contents="Say hello, Zoë."))
        return {"pieces": [chunk.text for chunk in chunks], "usage": usage(chunks[-1])}

    def tool() -> Any:
        call = client.models.generate_content(model=MODEL, contents="Weather?", config=with_tool).function_calls[0]
        return {"name": call.name, "input": call.args}

    def embed() -> Any:
        return client.models.embed_content(model="embed-scripted", contents="one").embeddings[0].values

    def failing(status: int) -> Any:
        return error_of(lambda: client.models.generate_content(model=f"gemini-error-{status}", contents="hi"))

    return {
        "generate": lambda: generate(client),
        "generate_v1beta": lambda: generate(older),
        "stream": stream,
        "tool": tool,
        "count": lambda: client.models.count_tokens(model=MODEL, contents="hi").total_tokens,
        "embed": embed,
        "models": lambda: [model.name for model in client.models.list()],
        "error_400": lambda: failing(400),
        "error_429": lambda: failing(429),
        "error_503": lambda: failing(503),
    }


def usage(answer: Any) -> list[int]:
    counts = answer.usage_metadata
    return [counts.prompt_token_count, counts.cached_content_token_count, counts.candidates_token_count]


main(calls)
