"""The terms of prompt caches: the row that names a model best, careful guesses where none does."""

import msgspec
import pytest

from tokenpakd.config import cache_terms
from tokenpakd.config.cache_terms import CacheTerms, book_of
from tokenpakd.exchange.request import DialectName

BOOK = cache_terms.load()
CHAT = DialectName.OPENAI_CHAT


@pytest.mark.parametrize(
    ("model", "write_5m", "write_1h", "read", "minimum", "granularity", "confidence"),
    [
        ("claude-fable-5-1", 1.25, 2.0, 0.025, 512, 1, "reported"),
        ("claude-fable-5", 1.25, 2.0, 0.1, 512, 1, "reported"),
        ("claude-mythos-5-1-20261001", 1.25, 2.0, 0.025, 512, 1, "reported"),
        ("claude-mythos-preview", 1.25, 2.0, 0.1, 2048, 1, "reported"),
        ("claude-opus-5-5", 1.25, 2.0, 0.05, 512, 1, "reported"),
        ("claude-opus-5", 1.25, 2.0, 0.1, 512, 1, "reported"),
        ("claude-opus-4-8", 1.25, 2.0, 0.1, 1024, 1, "reported"),
        ("claude-opus-4-7", 1.25, 2.0, 0.1, 2048, 1, "reported"),
        ("claude-opus-4-6", 1.25, 2.0, 0.1, 4096, 1, "reported"),
        ("anthropic/claude-opus-4.5", 1.25, 2.0, 0.1, 4096, 1, "reported"),
        ("claude-opus-4-1-20250805", 1.25, 2.0, 0.1, 1024, 1, "reported"),
        ("claude-opus-4-20250514", 1.25, 2.0, 0.1, 1024, 1, "reported"),
        ("claude-sonnet-5", 1.25, 2.0, 0.1, 1024, 1, "reported"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", 1.25, 2.0, 0.1, 1024, 1, "reported"),
        ("claude-haiku-4-5-20251001", 1.25, 2.0, 0.1, 4096, 1, "reported"),
        ("claude-3-5-haiku-20241022", 1.25, 2.0, 0.1, 2048, 1, "reported"),
        ("claude-3-7-sonnet-latest", 1.25, 2.0, 0.1, 1024, 1, "assumed"),
        ("claude-of-next-year", 1.25, 2.0, 0.1, 1024, 1, "assumed"),
        ("gpt-5", 1.0, 1.0, 0.1, 1024, 128, "documented"),
        ("gpt-5-2025-08-07", 1.0, 1.0, 0.1, 1024, 128, "documented"),
        ("gpt-5.5-codex", 1.0, 1.0, 0.1, 1024, 128, "documented"),
        ("gpt-5.6", 1.25, 1.25, 0.1, 1024, 1, "documented"),
        ("gpt-5.10", 1.25, 1.25, 0.1, 1024, 1, "assumed"),
        ("gpt-7", 1.25, 1.25, 0.1, 1024, 1, "assumed"),
        ("gpt-4o-mini-2024-07-18", 1.0, 1.0, 0.5, 1024, 128, "reported"),
        ("gpt-4.1", 1.0, 1.0, 0.25, 1024, 128, "reported"),
        ("o3", 1.0, 1.0, 0.25, 1024, 128, "reported"),
        ("o3-mini", 1.0, 1.0, 0.5, 1024, 128, "assumed"),
        ("gpt-4", 1.0, 1.0, 1.0, 0, 1, "assumed"),
        ("gpt-4-turbo", 1.0, 1.0, 1.0, 0, 1, "assumed"),
        ("gpt-oss-120b", 1.0, 1.0, 1.0, 0, 1, "assumed"),
        ("gemini-2.5-pro", 1.0, 1.0, 0.1, 2048, 1, "documented"),
        ("gemini-3-pro-preview", 1.0, 1.0, 0.1, 4096, 1, "documented"),
        ("deepseek/deepseek-chat", 1.0, 1.0, 0.1, 64, 64, "measured"),
        ("qwen3-coder", 1.25, 1.25, 0.1, 1024, 1, "assumed"),
        (None, 1.25, 1.25, 0.1, 1024, 1, "assumed"),
    ],
)
def test_the_row_that_names_a_model_best_decides(
    model: str | None,
    write_5m: float,
    write_1h: float,
    read: float,
    minimum: int,
    granularity: int,
    confidence: str,
) -> None:
    terms = BOOK.terms_for(model, CHAT)
    assert (terms.write_5m, terms.write_1h, terms.read) == (write_5m, write_1h, read)
    assert (terms.min_cacheable_tokens, terms.granularity_tokens) == (minimum, granularity)
    assert terms.confidence == confidence


@pytest.mark.parametrize("model", ["llama3.3", "gpt-oss:20b", "deepseek-r1:8b", "claude-opus-5-5", None])
def test_a_model_that_runs_here_is_never_billed_as_cached(model: str | None) -> None:
    terms = BOOK.terms_for(model, DialectName.OLLAMA)
    assert (terms.is_cached, terms.min_cacheable_tokens) == (False, 0)


@pytest.mark.parametrize(
    ("dialect", "needs_markers", "write_1h"),
    [(DialectName.ANTHROPIC, True, 2.0), (DialectName.GEMINI, False, 1.0), (DialectName.OPENAI_RESPONSES, False, 1.25)],
)
def test_an_unknown_model_has_the_manners_of_its_wire(
    dialect: DialectName, needs_markers: bool, write_1h: float
) -> None:
    terms = BOOK.terms_for("my-gateway-model", dialect)
    assert (terms.needs_markers, terms.write_1h, terms.confidence) == (needs_markers, write_1h, "assumed")


def test_markers_are_needed_by_claude_alone() -> None:
    assert all(row.needs_markers == row.pattern.startswith("claude") for row in BOOK.rows if row.pattern != "*")


def test_the_long_lifetime_is_never_the_shorter_one() -> None:
    assert all(row.ttl_s <= row.ttl_long_s and row.write_5m <= row.write_1h for row in BOOK.rows)
    assert all(row.read <= row.write_5m for row in BOOK.rows)


def test_no_row_is_hidden_behind_another() -> None:
    keys = [(row.pattern, row.dialects) for row in BOOK.rows]
    assert len(set(keys)) == len(keys)


def test_data_says_when_and_whence_it_is() -> None:
    assert BOOK.as_of >= "2026-11-20"
    assert BOOK.source
    assert all(row.note for row in BOOK.rows if row.confidence == "measured")


def test_own_rows_win_over_equally_specific_ones_but_not_over_better_names() -> None:
    book = BOOK.overridden([CacheTerms(pattern="claude-opus-5*", read=0.5)])
    assert book.terms_for("claude-opus-5", CHAT).read == 0.5
    assert book.terms_for("claude-opus-5-5", CHAT).read == 0.05
    assert BOOK.terms_for("claude-opus-5", CHAT).read == 0.1


def test_a_request_without_cache_pays_full_price_for_everything() -> None:
    terms = BOOK.terms_for("claude-opus-5", CHAT).without_cache()
    assert (terms.write_5m, terms.write_1h, terms.read, terms.min_cacheable_tokens) == (1, 1, 1, 0)
    assert not terms.is_cached


@pytest.mark.parametrize(
    "row",
    [
        b'{"pattern": "x", "prot": 1}',
        b'{"pattern": "x", "read": -1}',
        b'{"pattern": "x", "granularity_tokens": 0}',
        b'{"pattern": "x", "confidence": "sure"}',
    ],
)
def test_data_that_cannot_be_is_refused(row: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        book_of(b'{"as_of": "2026-01-01", "source": "s", "rows": [' + row + b"]}")
