"""What a conversation's input costs with the provider's prompt cache: the same rules for the raw and the sent arm.

A unit is the price of one uncached input token. Three things are kept apart elsewhere and never added up: tokens
removed, usage as the provider reported it, and what is worked out here, which is simulated and signed.

Rules: a prompt below the model's smallest cacheable one costs 1 a token. Else what stands in the cache costs `read`,
rounded down to the provider's steps, and the rest is written at `write`: the last marker is taken to stand at the end.
Figures are whole thousandths of a unit, so that equal arms come out at exactly 0.
"""

from collections.abc import Hashable, Iterable, Sequence

import msgspec

from tokenpakd.config.cache_terms import CacheTerms

Block = tuple[Hashable, int]
"""What tells a block from others, and its tokens."""


def saved_milli_units(
    terms: CacheTerms,
    *,
    raw_total: int,
    sent_total: int,
    raw_known: int,
    sent_known: int,
    is_alive: bool,
    is_long_ttl: bool = False,
) -> int:
    """Yield the raw arm's cost minus the sent arm's for one request; below 0 where sending less cost more.

    Tokens: `*_total` of the whole prompt, `*_known` of the beginning it shares with an earlier request of the
    conversation. `is_alive`: the cache has not run out since. For a request that nothing is cached for, pass
    `terms.without_cache()`.
    """
    raw = _charge(terms, raw_total, raw_known if is_alive else 0, is_long_ttl=is_long_ttl)
    sent = _charge(terms, sent_total, sent_known if is_alive else 0, is_long_ttl=is_long_ttl)
    return raw.milli_units - sent.milli_units


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """One request's input as the simulated provider bills it; the three counts are disjoint and add up."""

    read_tokens: int
    written_tokens: int
    full_price_tokens: int
    milli_units: int


class Arm:
    """One conversation, request by request, against a cache of its own.

    With `only_at_ends` an earlier request is found only whole (a cache that keeps entries at markers, and the only
    marker at the end); else the longest common beginning with any earlier request counts, block by block.
    """

    def __init__(self, terms: CacheTerms, *, is_long_ttl: bool = False, only_at_ends: bool = False) -> None:
        self._terms = terms
        self._is_long_ttl = is_long_ttl
        self._only_at_ends = only_at_ends
        self._ttl_s = terms.ttl_long_s if is_long_ttl else terms.ttl_s
        self._now_s = 0.0
        # Beginnings of requests as a tree: a node is a number, reached from its parent by the next block's key.
        self._children: dict[tuple[int, Hashable], int] = {}
        self._used_at_s: dict[int, float] = {}
        self._ends: set[int] = set()
        self.requests = 0
        self.read_tokens = 0
        self.total_tokens = 0
        self.milli_units = 0

    def bill(self, blocks: Sequence[Block], *, idle_s: float = 0.0) -> Charge:
        """Add the next request, sent `idle_s` after the one before, and yield what it costs."""
        self._now_s += idle_s
        total = sum(tokens for _, tokens in blocks)
        charge = _charge(self._terms, total, self._known(blocks), is_long_ttl=self._is_long_ttl)
        if total >= self._terms.min_cacheable_tokens:
            self._remember(blocks)
        self.requests += 1
        self.read_tokens += charge.read_tokens
        self.total_tokens += total
        self.milli_units += charge.milli_units
        return charge

    @property
    def units(self) -> float:
        """The whole bill so far, in uncached input tokens."""
        return self.milli_units / 1000

    @property
    def read_share(self) -> float:
        """The share of all tokens that came from the cache."""
        return self.read_tokens / self.total_tokens if self.total_tokens else 0.0

    def _known(self, blocks: Sequence[Block]) -> int:
        node, here, known = 0, 0, 0
        for key, tokens in blocks:
            child = self._children.get((node, key))
            if child is None or self._now_s - self._used_at_s[child] > self._ttl_s:
                break
            node, here = child, here + tokens
            if not self._only_at_ends or node in self._ends:
                known = here
        return known

    def _remember(self, blocks: Sequence[Block]) -> None:
        node = 0
        for key, _ in blocks:
            node = self._children.setdefault((node, key), len(self._children) + 1)
            self._used_at_s[node] = self._now_s
        self._ends.add(node)


def bill(requests: Iterable[Sequence[Block]], terms: CacheTerms, *, idle_s: Iterable[float] = ()) -> float:
    """Yield what a conversation's requests cost together, in units; `idle_s` before each, 0 where it ends early."""
    arm = Arm(terms)
    gaps = iter(idle_s)
    for blocks in requests:
        arm.bill(blocks, idle_s=next(gaps, 0.0))
    return arm.units


def _charge(terms: CacheTerms, total: int, known: int, *, is_long_ttl: bool) -> Charge:
    if total < terms.min_cacheable_tokens:
        return Charge(read_tokens=0, written_tokens=0, full_price_tokens=total, milli_units=1000 * total)
    hit = min(known, total)
    hit -= hit % terms.granularity_tokens
    if hit < terms.min_cacheable_tokens:
        hit = 0  # so short a beginning was never written
    write = terms.write_1h if is_long_ttl else terms.write_5m
    milli_units = _milli(terms.read) * hit + _milli(write) * (total - hit)
    return Charge(read_tokens=hit, written_tokens=total - hit, full_price_tokens=0, milli_units=milli_units)


def _milli(multiplier: float) -> int:
    return round(multiplier * 1000)
