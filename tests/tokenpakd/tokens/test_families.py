"""Which counter a model's figures are made with."""

import pytest

from tokenpakd.tokens.families import family_of


@pytest.mark.parametrize(
    ("model", "name", "counter", "factor", "is_own"),
    [
        ("claude-3-5-haiku-20241022", "claude-3", "o200k", 1.18, False),
        ("claude-3-opus-20240229", "claude-3", "o200k", 1.18, False),
        ("claude-3-7-sonnet-latest", "claude-3", "o200k", 1.18, False),
        ("claude-opus-4-20250514", "claude-3", "o200k", 1.18, False),
        ("claude-opus-4-1", "claude-3", "o200k", 1.18, False),
        ("claude-haiku-4-5-20251001", "claude-3", "o200k", 1.18, False),
        ("anthropic/claude-sonnet-4.6", "claude-3", "o200k", 1.18, False),
        ("claude-opus-4-7", "claude-5", "o200k", 1.53, False),
        ("claude-opus-4-8-20260801", "claude-5", "o200k", 1.53, False),
        ("claude-opus-5-5", "claude-5", "o200k", 1.53, False),
        ("claude-fable-5-1", "claude-5", "o200k", 1.53, False),
        ("claude-mythos-preview", "claude-5", "o200k", 1.53, False),
        ("gpt-4o-mini", "o200k", "o200k", 1.0, True),
        ("gpt-4.1", "o200k", "o200k", 1.0, True),
        ("gpt-5.6-codex", "o200k", "o200k", 1.0, True),
        ("o3", "o200k", "o200k", 1.0, True),
        ("o4-mini-2025-04-16", "o200k", "o200k", 1.0, True),
        ("gpt-oss:20b", "o200k", "o200k", 1.0, True),
        ("gpt-4-0613", "cl100k", "cl100k", 1.0, True),
        ("gpt-3.5-turbo", "cl100k", "cl100k", 1.0, True),
        ("text-embedding-3-large", "cl100k", "cl100k", 1.0, True),
        ("models/gemini-2.5-pro", "gemini", "o200k", 1.0, False),
        ("meta-llama/llama-3.3-70b", "llama", "o200k", 1.0, False),
        ("deepseek-chat", "deepseek", "o200k", 1.0, False),
        ("my-model", "other", "o200k", 1.0, False),
        ("", "other", "o200k", 1.0, False),
        (None, "other", "o200k", 1.0, False),
    ],
)
def test_families(model: str | None, name: str, counter: str, factor: float, is_own: bool) -> None:
    family = family_of(model)
    assert (family.name, family.counter, family.factor, family.is_own) == (name, counter, factor, is_own)
