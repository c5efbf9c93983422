"""Both arms of a conversation, billed by the same rules."""

import json
from typing import Any

from tokenpakd.config.cache_terms import CacheTerms
from tokenpakd.replay.both_arms import ArmsWatch

TERMS = CacheTerms(write_5m=1.25, write_1h=2.0, read=0.1, min_cacheable_tokens=100)
MARKED = {"cache_control": {"type": "ephemeral"}}


def _body(*texts: str, **fields: Any) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text} for text in texts], **fields}).encode()


def _watch(*pairs: tuple[bytes, bytes]) -> ArmsWatch:
    watch = ArmsWatch(len)
    for raw, sent in pairs:
        watch.see(raw, sent)
    return watch


def test_the_second_request_reads_what_the_first_wrote() -> None:
    first, second = _body("x" * 996), _body("x" * 996, "y" * 496)
    watch = _watch((first, first), (second, second))
    expected = 1000 * 1.25 + 1000 * 0.1 + 500 * 1.25
    assert watch.units(TERMS) == (expected, expected)
    assert watch.tokens() == (1500, 1500)
    assert watch.requests == 2


def test_a_shorter_arm_costs_less_and_a_broken_prefix_more() -> None:
    raw = _body("x" * 996), _body("x" * 996, "y" * 496)
    shorter = _body("x" * 496), _body("x" * 496, "y" * 496)
    assert _watch(*zip(raw, shorter, strict=True)).units(TERMS)[1] == 500 * 1.25 + 500 * 0.1 + 500 * 1.25
    broken = _body("x" * 996), _body("z" * 896, "y" * 496)
    paid, ours = _watch(*zip(raw, broken, strict=True)).units(TERMS)
    assert ours == 1000 * 1.25 + 1400 * 1.25 > paid


def test_shrinking_below_the_smallest_cached_prompt_shows_as_a_loss() -> None:
    raw = _body("x" * 106), _body("x" * 106, "y" * 6)
    short = _body("x" * 80), _body("x" * 80, "y" * 6)
    watch = _watch(*zip(raw, short, strict=True), *[(raw[1], short[1])] * 10)
    paid, ours = watch.units(TERMS)
    assert ours > paid


def test_the_frame_counts_and_other_fields_do_not() -> None:
    body = _body(
        "x" * 6, system="s" * 10, tools=[{"name": "t", "input_schema": {}}], model="long-model-name", max_tokens=9
    )
    assert _watch((body, body)).tokens() == (10 + 1 + 10, 10 + 1 + 10)


def test_a_client_without_markers_has_no_cache_where_markers_are_needed() -> None:
    terms = CacheTerms(needs_markers=True, min_cacheable_tokens=100)
    plain = _body("x" * 996), _body("x" * 996, "y")
    assert _watch(*zip(plain, plain, strict=True)).units(terms)[0] == 1000 + 1000 + 5
    marked = [_body("x" * 996, system=[{"type": "text", "text": "", **MARKED}]) for _ in range(2)]
    assert _watch(*zip(marked, marked, strict=True)).units(terms)[0] == 1000 * 1.25 + 1000 * 0.1


def test_the_marker_itself_changes_nothing() -> None:
    newest = {"role": "user", "content": [{"type": "text", "text": "x" * 996, **MARKED}]}
    aged = {"role": "user", "content": "x" * 996}
    first = json.dumps({"messages": [newest]}).encode()
    second = json.dumps({"messages": [aged, {"role": "assistant", "content": "y" * 496}]}).encode()
    assert _watch((first, first), (second, second)).units(TERMS)[0] == 1000 * 1.25 + 1000 * 0.1 + 500 * 1.25


def test_a_pause_past_the_life_of_the_cache_is_paid_by_both_arms() -> None:
    first, second = _body("x" * 996), _body("x" * 996, "y" * 496)
    watch = _watch((first, first), (second, first))
    assert watch.units(TERMS, [0.0, 300.0])[0] == watch.units(TERMS)[0]
    assert watch.units(TERMS, [0.0, 301.0]) == (1000 * 1.25 + 1500 * 1.25, 1000 * 1.25 * 2)
