"""One spelling for the names of models."""

import pytest

from tokenpakd.config.model_ids import plain_id


@pytest.mark.parametrize(
    ("model", "plain"),
    [
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5-20251001"),
        ("anthropic/claude-opus-4.5", "claude-opus-4-5"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5-20250929-v1:0"),
        ("claude-opus-4-5@20251101", "claude-opus-4-5@20251101"),
        ("claude-3-5-haiku-20241022", "claude-haiku-3-5-20241022"),
        ("claude-3.7-sonnet", "claude-sonnet-3-7"),
        ("claude-3-haiku-20240307", "claude-haiku-3-20240307"),
        (" GPT-5.6 ", "gpt-5.6"),
        ("openai/gpt-4.1-mini", "gpt-4.1-mini"),
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("", ""),
    ],
)
def test_names_lose_reseller_and_capitals(model: str, plain: str) -> None:
    assert plain_id(model) == plain
    assert plain_id(plain) == plain
