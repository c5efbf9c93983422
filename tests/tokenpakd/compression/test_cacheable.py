"""From where on a request is long enough to be cached, however its turns are written."""

import json
from typing import Any

import pytest

from tokenpakd.compression.cacheable import first_cacheable
from tokenpakd.dialects.registry import dialect
from tokenpakd.exchange.request import DialectName, Look

Json = Any
MARKER = {"type": "ephemeral"}


def _body(*texts: str, system: Json = "s" * 100, marked: int | None = None, **how: Json) -> tuple[bytes, Look]:
    messages: list[Json] = []
    for number, text in enumerate(texts):
        block: Json = {"type": "text", "text": text}
        if marked == number:
            block = {"cache_control": MARKER, **block} if number % 2 else {**block, "cache_control": MARKER}
        content: Json = [block] if marked is not None and marked <= number else text
        messages += [{"role": "user", "content": content}, {"role": "assistant", "content": "yes"}]
    body = json.dumps({"model": "m", "system": system, "messages": messages}, **how).encode()
    return body, dialect(DialectName.ANTHROPIC).look(body, want_spans=True, path=b"/v1/messages")


def _first(found: tuple[bytes, Look], least_bytes: int, masked_spans: int = 0) -> int:
    return first_cacheable(*found, least_bytes=least_bytes, masked_spans=masked_spans)


def test_all_spans_where_the_smallest_prompt_is_none() -> None:
    assert _first(_body("a", "b"), 0) == 0


def test_what_stands_before_a_span_counts_and_what_it_holds_itself_does_not() -> None:
    body, look = _body("a" * 1_000, "b" * 1_000, "c")
    assert len(look.spans) == 3
    assert _first((body, look), 100) == 0, "the system prompt"
    assert _first((body, look), 1_000) == 1
    assert _first((body, look), 2_000) == 2
    assert _first((body, look), 5_000) == 3, "none"


@pytest.mark.parametrize("how", [{"separators": (",", ":")}, {}], ids=["compact", "spaced"])
def test_markers_and_lists_of_one_block_count_nothing(how: Json) -> None:
    texts = ["x" * 50] * 30
    plain = _body(*texts, **how)
    for least in range(200, 1_500, 7):
        expected = _first(plain, least)
        for marked in (0, 3, 10, 29):
            assert _first(_body(*texts, marked=marked, **how), least) == expected
    system = [{"type": "text", "text": "s" * 100, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    for least in range(100, 1_500, 7):
        assert _first(_body(*texts, system=system, **how), least) == _first(plain, least)


def test_results_that_may_be_masked_count_nothing() -> None:
    body = json.dumps(
        {
            "messages": [
                {"role": "user", "content": "go"},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "bash", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x" * 5_000}]},
                {"role": "user", "content": "next"},
            ]
        }
    ).encode()
    found = body, dialect(DialectName.ANTHROPIC).look(body, want_spans=True, path=b"/v1/messages")
    assert [span.kind.value for span in found[1].spans] == ["user_text", "tool_result", "user_text"]
    assert _first(found, 4_000) == 2
    assert _first(found, 4_000, masked_spans=2) == 3


def test_what_looks_like_a_marker_is_counted_like_one_everywhere() -> None:
    for odd in ('"cache_control"', '"cache_control": 7', '"cache_control": {"a": {}}', ', "cache_control": null ,'):
        body, look = _body("a" * 300, system=odd * 3)
        assert _first((body, look), 100_000) == 1
        assert 0 <= _first((body, look), 200) <= 1


def test_long_texts_are_not_looked_through() -> None:
    body, look = _body("a", system='"cache_control": {}, ' * 50_000)
    assert _first((body, look), 1_000) == 0


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        (" " * 3_000, 0),
        ("=" * 78 + "\n" + "-" * 78, 0),
        ("word " * 600, 3_000),
        ("    deep = inside(it)\n" * 100, 1_900),
        ("\u0441\u043b\u043e\u0432\u043e " * 500, 3_000),
        ("\u6f22\u5b57" * 1_000, 2_000),
    ],
    ids=["blanks", "rules", "words", "code", "letters of two bytes", "letters of three bytes"],
)
@pytest.mark.parametrize("ensure_ascii", [True, False], ids=["escaped", "plain"])
def test_what_takes_many_bytes_to_a_token_counts_less(text: str, counts: int, *, ensure_ascii: bool) -> None:
    """Or a prompt counts as long enough to be cached, shrinks below that, and is billed whole on every turn."""
    frame = _body("", "c", ensure_ascii=ensure_ascii)
    found = _body(text, "c", ensure_ascii=ensure_ascii)
    empty = max(least for least in range(1, 1_000) if _first(frame, least) <= 1)
    least = max(least for least in range(1, 9_000) if _first(found, least) <= 1)
    assert counts <= least - empty <= counts * 1.2 + 100


def test_a_long_text_counts_at_sight() -> None:
    assert _first(_body("\u6f22" * 90_000, "c", ensure_ascii=True), 10_000) == 1
    assert _first(_body("a", system="\u6f22" * 90_000, ensure_ascii=True), 10_000) == 0
    assert _first(_body("a", system="\u6f22" * 9_000, ensure_ascii=True), 10_000) == 1
