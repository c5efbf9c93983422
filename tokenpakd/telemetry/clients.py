"""Which client sends, by what it says of itself. Pure; yields a name of a fixed list, never the header."""

_BY_PREFIX: tuple[tuple[bytes, str], ...] = (
    (b"claude-cli/", "claude-code"),
    (b"claude-code/", "claude-code"),
    (b"codex", "codex"),
    (b"geminicli", "gemini-cli"),
    (b"opencode/", "opencode"),
    (b"litellm/", "litellm"),
    (b"openai/python", "openai-python"),
    (b"asyncopenai/python", "openai-python"),
    (b"openai/js", "openai-js"),
    (b"asyncanthropic/python", "anthropic-python"),
    (b"anthropic/python", "anthropic-python"),
    (b"anthropic/js", "anthropic-js"),
    (b"agents/", "openai-agents"),
    (b"pydantic-ai/", "pydantic-ai"),
    (b"langchain", "langchain"),
    (b"google-genai-sdk/", "google-genai"),
    (b"ollama-python/", "ollama-python"),
    (b"ollama-js/", "ollama-js"),
    (b"ollama/", "ollama"),
    (b"ai/", "ai-sdk"),
    (b"aider/", "aider"),
    (b"bun/", "bun"),
    (b"curl/", "curl"),
    (b"python-httpx", "python-http"),
    (b"python-requests/", "python-http"),
    (b"mozilla/", "browser"),
)

CLIENTS = frozenset(name for _, name in _BY_PREFIX) | {"other", "unknown"}


def client_of(
    user_agent: bytes | None,
    *,
    originator: bytes | None = None,
    x_app: bytes | None = None,
    x_goog_api_client: bytes | None = None,
) -> str:
    """Yield the client's name: by User-Agent, else by what some clients say beside it.

    `unknown` is a client that says nothing, `other` one that says something new.
    """
    agent = (user_agent or b"").strip().lower()
    # An SDK that another library drives names the driver behind itself.
    if agent.startswith(b"google-genai-sdk/") and b"pydantic-ai/" in agent:
        return "pydantic-ai"
    for prefix, name in _BY_PREFIX:
        if agent.startswith(prefix):
            return name
    if (originator or b"").lower().startswith(b"codex"):
        return "codex"
    if (x_app or b"").lower() == b"cli" and not agent:
        return "claude-code"
    if (x_goog_api_client or b"").lower().startswith(b"google-genai-sdk/"):
        return "google-genai"
    return "other" if agent else "unknown"
