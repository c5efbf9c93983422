"""The demo provider's prompt cache and its bill: pure, the time is passed in.

The rules are those that providers publish. A request is a row of blocks: tools, then system, then messages. At each
breakpoint the cache holds the tokens of the whole prefix up to there under a hash of its content, markers left out. A
later request reads the longest held prefix that it starts with, found within `lookback` positions before one of its
breakpoints (a run of tool calls, or of tool results, is one position); from there to its last breakpoint it pays the
write price, after that the plain one. A prefix shorter than `minimum_tokens` is neither written nor read. An entry
lives for its own TTL, renewed by each use.
"""

import hashlib
from collections.abc import Sequence

import msgspec

WRITE_5M, WRITE_1H, READ, PLAIN = 1.25, 2.0, 0.1, 1.0
"""Prices in units: one uncached input token is 1."""

TTL_5M_S, TTL_1H_S = 300.0, 3600.0
_PREFIXES_KEPT = 20_000
"""Bound of the table; the oldest entries go first. A demo of a few hundred requests never reaches it."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What one wire's cache does. `lookback` None looks at every block."""

    minimum_tokens: int = 1024
    lookback: int | None = 20


EXPLICIT = Rules()
"""Anthropic Messages: the client marks its breakpoints."""
AUTOMATIC = Rules(lookback=None)
"""OpenAI Chat: the provider itself marks the last block and finds any earlier one."""


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One block of a request: a hash of its canonical content, its tokens, and the marker it carries.

    `ttl_s` is None without a marker. `run` names the kind of run it belongs to: neighbours of the same non-empty run
    share one lookback position.
    """

    digest: bytes
    tokens: int
    ttl_s: float | None = None
    run: str = ""


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """What one request's input is billed as; the four parts are disjoint and add up to its tokens."""

    plain: int = 0
    read: int = 0
    write_5m: int = 0
    write_1h: int = 0

    @property
    def tokens(self) -> int:
        """All input tokens."""
        return self.plain + self.read + self.write_5m + self.write_1h

    @property
    def units(self) -> float:
        """The price of the input in units of one uncached token."""
        return self.plain * PLAIN + self.read * READ + self.write_5m * WRITE_5M + self.write_1h * WRITE_1H

    def plus(self, other: "Charge") -> "Charge":
        """Return the sum, part by part."""
        return Charge(
            plain=self.plain + other.plain,
            read=self.read + other.read,
            write_5m=self.write_5m + other.write_5m,
            write_1h=self.write_1h + other.write_1h,
        )


class _Entry(msgspec.Struct):
    expires_s: float
    ttl_s: float


class PromptCache:
    """What is held, per owner: a caller's key with a model. Nothing of one owner is readable by another."""

    def __init__(self) -> None:
        self._held: dict[bytes, _Entry] = {}

    def charge(self, owner: bytes, blocks: Sequence[Block], rules: Rules, *, now_s: float) -> Charge:
        """Bill a request and remember its prefixes. `now_s` is seconds on any clock that does not go back."""
        names, totals = _prefixes(owner, blocks)
        marked = [
            index
            for index, block in enumerate(blocks)
            if block.ttl_s is not None and totals[index] >= rules.minimum_tokens
        ]
        found = self._longest(names, _candidates(blocks, marked, rules.lookback), now_s)
        read = 0 if found is None else totals[found]
        hour = max((totals[index] for index in marked if blocks[index].ttl_s == TTL_1H_S), default=0)
        last = totals[marked[-1]] if marked else 0
        write_1h = max(0, hour - read)
        write_5m = max(0, last - max(read, hour))
        if found is not None:
            self._touch(names[found], now_s, 0.0)
        for index in marked:
            self._touch(names[index], now_s, blocks[index].ttl_s or 0.0)
        whole = totals[-1] if totals else 0
        return Charge(plain=whole - read - write_1h - write_5m, read=read, write_5m=write_5m, write_1h=write_1h)

    def _longest(self, names: Sequence[bytes], candidates: Sequence[int], now_s: float) -> int | None:
        for index in candidates:
            entry = self._held.get(names[index])
            if entry is not None and entry.expires_s > now_s:
                return index
        return None

    def _touch(self, name: bytes, now_s: float, ttl_s: float) -> None:
        entry = self._held.pop(name, None)
        alive_ttl_s = entry.ttl_s if entry is not None and entry.expires_s > now_s else 0.0
        lasting_s = max(ttl_s, alive_ttl_s)
        self._held[name] = _Entry(expires_s=now_s + lasting_s, ttl_s=lasting_s)
        if len(self._held) > _PREFIXES_KEPT:
            del self._held[next(iter(self._held))]


def is_continued(earlier: Sequence[bytes], later: Sequence[bytes]) -> bool:
    """Return whether the later request starts with every block of the earlier one."""
    return len(later) >= len(earlier) and list(later[: len(earlier)]) == list(earlier)


def _prefixes(owner: bytes, blocks: Sequence[Block]) -> tuple[list[bytes], list[int]]:
    """Yield for each block the name of the prefix that ends with it, and that prefix's tokens."""
    running = hashlib.blake2b(owner, digest_size=16)
    names: list[bytes] = []
    totals: list[int] = []
    total = 0
    for block in blocks:
        running.update(block.digest)
        total += block.tokens
        names.append(running.digest())
        totals.append(total)
    return names, totals


def _candidates(blocks: Sequence[Block], marked: Sequence[int], lookback: int | None) -> list[int]:
    """Yield the block indices where a held prefix is looked for, longest first."""
    seen: set[int] = set()
    for breakpoint_index in marked:
        positions = 0
        run = ""
        for index in range(breakpoint_index, -1, -1):
            block = blocks[index]
            if not (block.run and block.run == run):
                positions += 1
            run = block.run
            if lookback is not None and positions > lookback:
                break
            seen.add(index)
    return sorted(seen, reverse=True)
