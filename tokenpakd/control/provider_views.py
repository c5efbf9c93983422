"""Providers as the control verbs show them.

The supervisor imports nothing of the traffic path, so the built-in providers stand here a second time; a test holds
this table and `providers.registry` together.
"""

from typing import NamedTuple

from tokenpakd.config.load import Loaded
from tokenpakd.ipc.control_api import ModelPatternResult, ProviderResult


class _BuiltIn(NamedTuple):
    dialects: str
    endpoint: str
    models: tuple[str, ...]


BUILT_IN = {
    "anthropic": _BuiltIn("anthropic_messages", "https://api.anthropic.com", ("claude-*",)),
    "openai": _BuiltIn(
        "openai_chat, openai_responses", "https://api.openai.com", ("gpt-*", "o1*", "o3*", "o4*", "codex-*")
    ),
    "gemini": _BuiltIn("gemini", "https://generativelanguage.googleapis.com", ("gemini-*",)),
    "ollama": _BuiltIn("ollama", "http://127.0.0.1:11434", ()),
    "demo": _BuiltIn("anthropic_messages, openai_chat", "", ("demo-*",)),
}


def provider_results(loaded: Loaded) -> tuple[ProviderResult, ...]:
    """Yield every provider that has an endpoint, built-in ones first."""
    configured = loaded.config.providers
    found = []
    for name in dict.fromkeys((*BUILT_IN, *configured)):
        section, built_in = configured.get(name), BUILT_IN.get(name)
        endpoint = (section.endpoint if section else None) or (built_in.endpoint if built_in else "")
        if not endpoint:
            continue
        dialect = (section.dialect if section else None) or (built_in.dialects if built_in else "")
        secret = section.auth.secret if section else None
        found.append(
            ProviderResult(
                name=name,
                dialect=str(dialect),
                endpoint=endpoint,
                source=_source(name, loaded),
                credential=f"secret:{secret}" if secret else "caller",
            )
        )
    return tuple(found)


def pattern_results(loaded: Loaded) -> tuple[ModelPatternResult, ...]:
    """Yield the names that are known to belong to a provider."""
    found: list[ModelPatternResult] = []
    for provider in provider_results(loaded):
        section, built_in = loaded.config.providers.get(provider.name), BUILT_IN.get(provider.name)
        patterns = (section.models if section else ()) or (built_in.models if built_in else ())
        found += [ModelPatternResult(pattern=pattern, provider=provider.name) for pattern in patterns]
    return tuple(found)


def _source(name: str, loaded: Loaded) -> str:
    """Yield «built-in», or the place that configured the provider first."""
    for key, origin in loaded.origins.items():
        if key == f"providers.{name}" or key.startswith(f"providers.{name}."):
            return origin.detail or origin.source
    return "built-in"
