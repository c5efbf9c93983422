from tokenpakd.demo.prompt_cache import (
    AUTOMATIC,
    EXPLICIT,
    TTL_1H_S,
    TTL_5M_S,
    Block,
    Charge,
    PromptCache,
    is_continued,
)


def block(name: str, tokens: int = 1000, ttl_s: float | None = None, run: str = "") -> Block:
    return Block(digest=name.encode(), tokens=tokens, ttl_s=ttl_s, run=run)


def marked(name: str, tokens: int = 1000, ttl_s: float = TTL_5M_S) -> Block:
    return block(name, tokens, ttl_s)


def test_first_request_writes_up_to_its_last_marker_and_pays_the_rest_plain() -> None:
    cache = PromptCache()
    charge = cache.charge(b"k", [block("a"), marked("b"), block("c", 30)], EXPLICIT, now_s=0)
    assert charge == Charge(plain=30, write_5m=2000)


def test_growing_conversation_reads_what_it_wrote_before() -> None:
    cache = PromptCache()
    cache.charge(b"k", [block("a"), marked("b")], EXPLICIT, now_s=0)
    charge = cache.charge(b"k", [block("a"), block("b"), marked("c", 500)], EXPLICIT, now_s=1)
    assert charge == Charge(read=2000, write_5m=500)
    assert charge.units == 2000 * 0.1 + 500 * 1.25


def test_changed_earlier_block_is_a_miss_from_there_on() -> None:
    cache = PromptCache()
    cache.charge(b"k", [marked("a"), block("b"), marked("c")], EXPLICIT, now_s=0)
    charge = cache.charge(b"k", [marked("a"), block("B"), marked("c")], EXPLICIT, now_s=1)
    # The first block alone is below the minimum, so nothing of it was held either.
    assert charge == Charge(write_5m=3000)


def test_prefix_shorter_than_the_minimum_is_neither_written_nor_read() -> None:
    cache = PromptCache()
    for now_s in (0, 1):
        assert cache.charge(b"k", [marked("a", 1023)], EXPLICIT, now_s=now_s) == Charge(plain=1023)
    assert cache.charge(b"k", [marked("b", 1024)], EXPLICIT, now_s=2) == Charge(write_5m=1024)


def test_entry_lives_five_minutes_from_its_last_use() -> None:
    cache = PromptCache()
    ask = [marked("a", 2000)]
    cache.charge(b"k", ask, EXPLICIT, now_s=0)
    assert cache.charge(b"k", ask, EXPLICIT, now_s=299).read == 2000
    assert cache.charge(b"k", ask, EXPLICIT, now_s=299 + 299).read == 2000
    assert cache.charge(b"k", ask, EXPLICIT, now_s=299 + 299 + 300).read == 0


def test_hour_entries_cost_double_and_live_an_hour() -> None:
    cache = PromptCache()
    ask = [marked("a", 2000, TTL_1H_S), marked("b", 500)]
    assert cache.charge(b"k", ask, EXPLICIT, now_s=0) == Charge(write_1h=2000, write_5m=500)
    assert cache.charge(b"k", ask, EXPLICIT, now_s=3500) == Charge(read=2000, write_5m=500)


def test_hour_entry_keeps_its_hour_when_a_five_minute_marker_uses_it() -> None:
    cache = PromptCache()
    cache.charge(b"k", [marked("a", 2000, TTL_1H_S)], EXPLICIT, now_s=0)
    cache.charge(b"k", [marked("a", 2000)], EXPLICIT, now_s=1000)
    assert cache.charge(b"k", [marked("a", 2000)], EXPLICIT, now_s=4000).read == 2000


def test_lookback_ends_after_twenty_positions() -> None:
    for added, expected in ((19, 2000), (20, 0)):
        cache = PromptCache()
        cache.charge(b"k", [marked("a", 2000)], EXPLICIT, now_s=0)
        rest = [block(str(number), 10) for number in range(added - 1)]
        charge = cache.charge(b"k", [block("a", 2000), *rest, marked("z", 10)], EXPLICIT, now_s=1)
        assert charge.read == expected, added


def test_run_of_tool_results_is_one_position() -> None:
    cache = PromptCache()
    cache.charge(b"k", [marked("a", 2000)], EXPLICIT, now_s=0)
    results = [block(str(number), 10, run="tool_result") for number in range(40)]
    charge = cache.charge(b"k", [block("a", 2000), *results, marked("z", 10)], EXPLICIT, now_s=1)
    assert charge.read == 2000


def test_nothing_is_shared_between_callers() -> None:
    cache = PromptCache()
    cache.charge(b"k", [marked("a", 2000)], EXPLICIT, now_s=0)
    assert cache.charge(b"other", [marked("a", 2000)], EXPLICIT, now_s=1).read == 0


def test_automatic_cache_finds_any_earlier_end() -> None:
    cache = PromptCache()
    cache.charge(b"k", [marked("a", 2000)], AUTOMATIC, now_s=0)
    rest = [block(str(number), 10) for number in range(60)]
    assert cache.charge(b"k", [block("a", 2000), *rest, marked("z", 5)], AUTOMATIC, now_s=1).read == 2000


def test_parts_of_a_charge_add_up_to_the_request() -> None:
    cache = PromptCache()
    blocks = [block("a", 700), marked("b", 900, TTL_1H_S), block("c", 11), marked("d", 13), block("e", 17)]
    for now_s in (0, 10, 400, 5000):
        assert cache.charge(b"k", blocks, EXPLICIT, now_s=now_s).tokens == 700 + 900 + 11 + 13 + 17


def test_continuation_is_every_earlier_block_in_place() -> None:
    assert is_continued([], [b"a"])
    assert is_continued([b"a"], [b"a", b"b"])
    assert not is_continued([b"a", b"b"], [b"a"])
    assert not is_continued([b"a", b"b"], [b"a", b"c", b"b"])
