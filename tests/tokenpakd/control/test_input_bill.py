"""Measured usage by published prices: models nobody knows are left out, and said to be."""

import pytest

from tokenpakd.config.cache_terms import CacheTerms, CacheTermsBook, load
from tokenpakd.control.input_bill import raw_and_saved, weights_of
from tokenpakd.exchange.request import DialectName
from tokenpakd.exchange.savings import InputWeights, MeasuredUsage, SavingsGroup, SimulatedSaving

BOOK = CacheTermsBook(
    as_of="2026-01-01",
    source="a test",
    rows=(
        CacheTerms(pattern="*", dialects=(DialectName.OLLAMA,), read=1, write_5m=1, write_1h=1),
        CacheTerms(pattern="m-*", read=0.1, write_5m=1.25, write_1h=2),
    ),
)


def _group(key: str | None, milli_units: int | None, **usage: int) -> SavingsGroup:
    return SavingsGroup(
        key=key,
        requests=1,
        measured=MeasuredUsage(requests=1 if usage else 0, **usage),
        simulated=SimulatedSaving(milli_units=milli_units, requests=1),
    )


@pytest.mark.parametrize(
    ("model", "dialect", "read"),
    [
        ("m-1", "anthropic_messages", 0.1), ("m-1", "a wire of tomorrow", 0.1), ("x", "ollama", 1.0),
        ("x", "openai_chat", None), (None, "openai_chat", None),
    ],
)  # fmt: skip
def test_weights_are_those_of_the_book_or_none(model: str | None, dialect: str, read: float | None) -> None:
    found = weights_of(BOOK, model, dialect)
    assert (None if found is None else found.cache_read) == read


def test_each_kind_of_token_has_its_own_price() -> None:
    expected = InputWeights(cache_read=0.1, cache_write_5m=1.25, cache_write_1h=2.0)
    assert weights_of(BOOK, "m-1", "openai_chat") == expected
    usage = {"input_uncached": 1_000, "cache_read": 100_000, "cache_write_5m": 80, "cache_write_1h": 50, "output": 9}
    assert raw_and_saved([_group("m-1", 2_500, **usage)], BOOK) == (11_200_000 + 2_500, 2_500)


def test_models_without_price_usage_or_simulation_are_in_neither_figure() -> None:
    alone = _group("m-1", -500, input_uncached=10)
    assert raw_and_saved([alone], BOOK) == (9_500, -500)
    others = [
        _group("x", 7, input_uncached=1),
        _group("m-2", None, input_uncached=1),
        _group("m-3", 7),
        _group(None, 7),
    ]
    assert raw_and_saved([alone, *others], BOOK) == (9_500, -500)
    assert raw_and_saved(others, BOOK) is None


def test_the_book_that_is_shipped_knows_the_models_of_the_built_in_providers() -> None:
    book = load()
    for model in ("claude-sonnet-4-5", "gpt-5", "gemini-2.5-pro"):
        assert weights_of(book, model, "other") is not None
