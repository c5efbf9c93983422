import json
from pathlib import Path

import pytest

from tokenpakd.telemetry.clients import CLIENTS, client_of

RECORDED = Path(__file__).resolve().parents[4] / "shared" / "recorded"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (b"claude-cli/2.1.329 (external, cli)", "claude-code"),
        (b"claude-code/2.1.329", "claude-code"),
        (b"codex_exec/0.169.0 (Debian 12.0.0; x86_64)", "codex"),
        (b"GeminiCLI-tui/0.61.0/gemini-2.5-flash (linux; x64; terminal)", "gemini-cli"),
        (b"opencode/1.18.33 ai-sdk/provider-utils/4.0.46 runtime/bun/1.3.14", "opencode"),
        (b"litellm/1.106.2", "litellm"),
        (b"OpenAI/Python 3.3.0", "openai-python"),
        (b"AsyncOpenAI/Python 3.3.0", "openai-python"),
        (b"OpenAI/JS 7.55.0", "openai-js"),
        (b"AsyncAnthropic/Python 2.11.0", "anthropic-python"),
        (b"Anthropic/JS 1.11.0", "anthropic-js"),
        (b"Agents/JavaScript 0.20.0", "openai-agents"),
        (b"pydantic-ai/2.38.0", "pydantic-ai"),
        (b"google-genai-sdk/3.4.0 gl-python/3.11.7 pydantic-ai/2.38.0 pydantic-ai/2.38.0", "pydantic-ai"),
        (b"google-genai-sdk/3.4.0 gl-python/3.11.7", "google-genai"),
        (b"langchain-anthropic/1.7.7", "langchain"),
        (b"ollama-python/0.6.3 (x86_64 linux) Python/3.11.7", "ollama-python"),
        (b"ollama-js/0.6.4 (x64 linux)", "ollama-js"),
        (b"ai/7.0.173 ai-sdk-provider-utils/5.0.81", "ai-sdk"),
        (b"Bun/1.4.4", "bun"),
        (b"something/1.0 \x1b[31m", "other"),
        (b"", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_client_is_named_by_what_it_says(user_agent: bytes | None, name: str) -> None:
    assert client_of(user_agent) == name
    assert name in CLIENTS


def test_what_is_said_beside_the_user_agent_counts_where_it_says_nothing() -> None:
    assert client_of(None, originator=b"codex_exec") == "codex"
    assert client_of(None, x_app=b"cli") == "claude-code"
    assert client_of(None, x_goog_api_client=b"google-genai-sdk/1.30.0 gl-node/v22") == "google-genai"


@pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded requests beside the checkout")
def test_every_recorded_client_that_says_who_it_is_has_a_name() -> None:
    nameless = set()
    for path in RECORDED.glob("*.json"):
        found = json.loads(path.read_text())
        for request in found.get("requests", ()) if isinstance(found, dict) else ():
            headers = {name.lower(): value.encode() for name, value in dict(request.get("headers", ())).items()}
            if client_of(headers.get("user-agent")) == "other":
                nameless.add(headers["user-agent"])
    assert nameless == set()
