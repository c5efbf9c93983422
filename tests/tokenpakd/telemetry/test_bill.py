"""The simulated bill of two arms: exact, signed, the same rules for both."""

import json
from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpakd.config import cache_terms
from tokenpakd.config.cache_terms import CacheTerms
from tokenpakd.exchange.request import DialectName
from tokenpakd.telemetry.bill import Arm, Block, bill, saved_milli_units

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "mini-swe-agent"
BOOK = cache_terms.load()
TERMS = CacheTerms(write_5m=1.25, write_1h=2.0, read=0.1, min_cacheable_tokens=1024, ttl_s=300, ttl_long_s=3600)
STEPS = CacheTerms(write_5m=1.0, write_1h=1.0, read=0.1, min_cacheable_tokens=1024, granularity_tokens=128)
ANY_TERMS = st.sampled_from([*BOOK.rows, TERMS, STEPS])
TOKENS = st.integers(0, 300_000)


@pytest.mark.parametrize(
    ("given_terms", "raw", "sent", "is_alive", "is_long_ttl", "saved"),
    [
        # (total, known) of each arm; saved in units
        pytest.param(TERMS, (10_000, 0), (9_000, 0), True, False, 1250, id="removed on the first request"),
        pytest.param(TERMS, (10_000, 8000), (9_000, 7000), True, False, 100, id="removed from what is known"),
        pytest.param(TERMS, (10_000, 8000), (9_000, 8000), True, False, 1250, id="removed from what is new"),
        pytest.param(TERMS, (10_000, 8000), (9_000, 8000), True, True, 2000, id="written for an hour"),
        pytest.param(TERMS, (10_000, 8000), (9_000, 7000), False, False, 1250, id="the cache has run out"),
        pytest.param(TERMS, (10_000, 8000), (9_900, 1100), True, False, -7810, id="a broken prefix is a loss"),
        pytest.param(TERMS, (1100, 1050), (1000, 950), True, False, -832.5, id="pushed below the smallest"),
        pytest.param(TERMS, (1000, 900), (900, 800), True, False, 100, id="both below the smallest"),
        pytest.param(TERMS, (2000, 1000), (1900, 1000), True, False, 125, id="too short to have been written"),
        pytest.param(STEPS, (4000, 2047), (4000, 2048), True, False, 115.2, id="hits come in steps"),
        pytest.param(TERMS.without_cache(), (10_000, 8000), (9_000, 7000), True, False, 1000, id="nothing is cached"),
    ],
)
def test_one_request(
    given_terms: CacheTerms,
    raw: tuple[int, int],
    sent: tuple[int, int],
    is_alive: bool,
    is_long_ttl: bool,
    saved: float,
) -> None:
    milli_units = saved_milli_units(
        given_terms,
        raw_total=raw[0],
        raw_known=raw[1],
        sent_total=sent[0],
        sent_known=sent[1],
        is_alive=is_alive,
        is_long_ttl=is_long_ttl,
    )
    assert milli_units == saved * 1000


@given(terms=ANY_TERMS, total=TOKENS, known=TOKENS, is_alive=st.booleans(), is_long_ttl=st.booleans())
def test_equal_arms_are_nothing(terms: CacheTerms, total: int, known: int, is_alive: bool, is_long_ttl: bool) -> None:
    saved = saved_milli_units(
        terms,
        raw_total=total,
        sent_total=total,
        raw_known=known,
        sent_known=known,
        is_alive=is_alive,
        is_long_ttl=is_long_ttl,
    )
    assert saved == 0


@given(terms=ANY_TERMS, raw=st.tuples(TOKENS, TOKENS), sent=st.tuples(TOKENS, TOKENS), is_alive=st.booleans())
def test_swapped_arms_swap_the_sign(
    terms: CacheTerms, raw: tuple[int, int], sent: tuple[int, int], is_alive: bool
) -> None:
    there = saved_milli_units(
        terms, raw_total=raw[0], raw_known=raw[1], sent_total=sent[0], sent_known=sent[1], is_alive=is_alive
    )
    back = saved_milli_units(
        terms, raw_total=sent[0], raw_known=sent[1], sent_total=raw[0], sent_known=raw[1], is_alive=is_alive
    )
    assert there == -back


@given(terms=ANY_TERMS, raw=TOKENS, known=TOKENS, removed=TOKENS, more=TOKENS, is_alive=st.booleans())
def test_removing_more_of_what_is_new_never_saves_less(
    terms: CacheTerms, raw: int, known: int, removed: int, more: int, is_alive: bool
) -> None:
    # Above the smallest cacheable prompt: the step down below it is a loss, and a row of the table above.
    raw += terms.min_cacheable_tokens + known
    less, least = (max(raw - cut, known, terms.min_cacheable_tokens) for cut in (removed, removed + more))
    saved = [
        saved_milli_units(terms, raw_total=raw, sent_total=sent, raw_known=known, sent_known=known, is_alive=is_alive)
        for sent in (less, least)
    ]
    assert 0 <= saved[0] <= saved[1]


def _growing(sizes: Sequence[int]) -> list[list[Block]]:
    return [[(index, size) for index, size in enumerate(sizes[:end])] for end in range(1, len(sizes) + 1)]


@given(terms=ANY_TERMS, sizes=st.lists(st.integers(0, 20_000), max_size=20))
def test_a_growing_conversation_offline_is_the_sum_of_its_requests_live(terms: CacheTerms, sizes: list[int]) -> None:
    totals = list(accumulate(sizes))
    live = sum(
        saved_milli_units(terms, raw_total=total, raw_known=known, sent_total=0, sent_known=0, is_alive=True)
        for known, total in pairwise([0, *totals])
    )
    assert bill(_growing(sizes), terms) == live / 1000


@given(terms=ANY_TERMS, keys=st.lists(st.lists(st.tuples(st.integers(0, 3), st.just(2000)), max_size=6), max_size=8))
def test_every_token_is_billed_once_and_between_its_bounds(terms: CacheTerms, keys: list[list[Block]]) -> None:
    arm = Arm(terms)
    for blocks in keys:
        total = sum(tokens for _, tokens in blocks)
        charge = arm.bill(blocks)
        assert charge.read_tokens + charge.written_tokens + charge.full_price_tokens == total
        assert terms.read * total <= charge.milli_units / 1000 + 1e-6
        assert charge.milli_units / 1000 <= max(1, terms.write_5m) * total + 1e-6
    assert arm.requests == len(keys)
    assert 0 <= arm.read_share <= 1


def test_whatever_earlier_request_shares_most_counts() -> None:
    arm = Arm(TERMS)
    arm.bill([("s", 2000), ("a", 1000), ("b", 500)])
    arm.bill([("s", 2000), ("x", 1000)])
    assert arm.bill([("s", 2000), ("a", 1000), ("b", 500), ("c", 10)]).read_tokens == 3500
    assert arm.bill([("s", 2000), ("a", 1000), ("y", 10)]).read_tokens == 3000
    assert arm.bill([("a", 1000), ("s", 2000)]).read_tokens == 0


def test_a_cache_that_keeps_entries_at_markers_finds_only_whole_requests() -> None:
    arm = Arm(TERMS, only_at_ends=True)
    arm.bill([("s", 2000), ("a", 1000), ("b", 500)])
    assert arm.bill([("s", 2000), ("a", 1000), ("c", 500)]).read_tokens == 0
    assert arm.bill([("s", 2000), ("a", 1000), ("b", 500), ("d", 10)]).read_tokens == 3500


@pytest.mark.parametrize(
    ("is_long_ttl", "idle_s", "read_tokens"), [(False, 300, 2000), (False, 301, 0), (True, 301, 2000), (True, 3601, 0)]
)
def test_an_entry_lives_as_long_as_the_terms_say(is_long_ttl: bool, idle_s: float, read_tokens: int) -> None:
    arm = Arm(TERMS, is_long_ttl=is_long_ttl)
    arm.bill([("s", 2000)])
    assert arm.bill([("s", 2000), ("a", 10)], idle_s=idle_s).read_tokens == read_tokens


def test_use_keeps_an_entry_alive() -> None:
    arm = Arm(TERMS)
    assert [arm.bill([("s", 2000)], idle_s=200).read_tokens for _ in range(4)] == [0, 2000, 2000, 2000]


def test_a_request_below_the_smallest_writes_nothing() -> None:
    arm = Arm(TERMS)
    assert arm.bill([("s", 1000)]).full_price_tokens == 1000
    charge = arm.bill([("s", 1000), ("a", 1000)])
    assert (charge.read_tokens, charge.written_tokens) == (0, 2000)


def test_a_pause_makes_the_next_request_dearer() -> None:
    requests = _growing([2000, 100, 100])
    assert bill(requests, TERMS) == 2500 + 200 + 125 + 210 + 125
    assert bill(requests, TERMS, idle_s=[0, 0, 1000]) == 2500 + 200 + 125 + 2200 * 1.25


@pytest.mark.skipif(not DATA.is_dir(), reason="no sample conversations beside this checkout (../shared/data)")
def test_simulated_hits_are_the_ones_a_provider_reported() -> None:
    terms = BOOK.terms_for("deepseek-chat", DialectName.OPENAI_CHAT)
    simulated = reported = total = 0
    for file in sorted(DATA.glob("*.json")):
        calls = json.loads(file.read_text(encoding="utf-8"))["usage_per_call"]
        arm = Arm(terms)
        prompts = [call["prompt_tokens"] for call in calls]
        sizes = [now - before for before, now in pairwise([0, *prompts])]
        for blocks in _growing(sizes):
            arm.bill(blocks)
        simulated += arm.read_tokens
        total += arm.total_tokens
        reported += sum(call["prompt_cache_hit_tokens"] for call in calls)
    assert simulated / total == pytest.approx(reported / total, abs=0.02)
