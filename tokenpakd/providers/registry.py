"""All providers this daemon knows: the built-in ones, changed and extended by the configuration."""

from collections.abc import Mapping

import msgspec

from tokenpakd.config.schema import Config
from tokenpakd.exchange.request import DialectName
from tokenpakd.providers import anthropic, demo, gemini, ollama, openai
from tokenpakd.providers.provider import Provider

BUILT_IN = tuple(module.PROVIDER for module in (anthropic, openai, gemini, ollama, demo))

_KEY_HEADER = {
    DialectName.ANTHROPIC: b"x-api-key",
    DialectName.OPENAI_CHAT: b"authorization",
    DialectName.OPENAI_RESPONSES: b"authorization",
    DialectName.GEMINI: b"x-goog-api-key",
    DialectName.OLLAMA: b"authorization",
}


def known(config: Config) -> Mapping[str, Provider]:
    """Return every provider that can be called, by name, in a fixed order.

    A configured built-in name changes only what it names; any other name needs dialect and endpoint. A built-in
    one without an endpoint (demo) is there only when configured.
    """
    found = {provider.name: provider for provider in BUILT_IN}
    for name, section in config.providers.items():
        dialect = section.dialect
        base = found.get(name) or Provider(
            name=name,
            endpoint="",
            dialects=(dialect,) if dialect is not None else (),
            key_headers=(_KEY_HEADER[dialect],) if dialect in _KEY_HEADER else (),
        )
        header = section.auth.header
        found[name] = msgspec.structs.replace(
            base,
            endpoint=section.endpoint or base.endpoint,
            models=section.models or base.models,
            key_headers=(header.lower().encode(),) if header is not None else base.key_headers,
        )
    return {name: provider for name, provider in found.items() if provider.endpoint}
