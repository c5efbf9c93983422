"""The input bill of a conversation as the client sent it and as we would: the provider's cache simulated twice."""

from collections.abc import Callable, Sequence

import msgspec

from tokenpakd.config.cache_terms import CacheTerms
from tokenpakd.replay import bodies
from tokenpakd.telemetry.bill import Arm, Block

_MESSAGE_TOKENS = 4
"""What wraps a message, about the same with every provider; equal in both arms."""
_FRAME = ("tools", "system", "instructions", "systemInstruction", "system_instruction")

Counter = Callable[[str], int]


class Regime(msgspec.Struct, frozen=True, kw_only=True):
    """Terms to bill by, under a name."""

    name: str
    terms: CacheTerms


class ArmsWatch:
    """Looks at the requests of one conversation in order, both arms; bills them afterwards."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._blocks: dict[bytes, Block] = {}
        self._keys: dict[bytes, int] = {}
        self._is_marked = False
        self._raw: list[tuple[Block, ...]] = []
        self._sent: list[tuple[Block, ...]] = []

    @property
    def requests(self) -> int:
        return len(self._raw)

    def see(self, raw: bytes, sent: bytes) -> None:
        """Note one request of both arms."""
        self._is_marked = self._is_marked or b'"cache_control"' in raw
        self._raw.append(self._taken(raw))
        self._sent.append(self._raw[-1] if sent is raw else self._taken(sent))

    def tokens(self) -> tuple[int, int]:
        """Return the tokens of the longest request of each arm: the conversation's, each counted once."""
        return _longest(self._raw), _longest(self._sent)

    def units(self, terms: CacheTerms, idle_s: Sequence[float] = ()) -> tuple[float, float]:
        """Return what each arm's input costs. Where only markers make a prefix cacheable, none means none.

        `idle_s`: the pause before each request; none where it ends early.
        """
        if terms.needs_markers and not self._is_marked:
            terms = terms.without_cache()
        return self._units(self._raw, terms, idle_s), self._units(self._sent, terms, idle_s)

    def _units(self, requests: Sequence[Sequence[Block]], terms: CacheTerms, idle_s: Sequence[float]) -> float:
        # The markers that clients move with every turn stand at the end of the newest message.
        arm = Arm(terms, only_at_ends=self._is_marked)
        pauses_s = iter(idle_s)
        for blocks in requests:
            arm.bill(blocks, idle_s=next(pauses_s, 0.0))
        return arm.units

    def _taken(self, body: bytes) -> tuple[Block, ...]:
        parts = bodies.parts(body)
        fields = dict(parts.frame)
        frame = b"".join(fields.get(name, b"") for name in _FRAME)
        first = self._blocks.get(frame)
        if first is None:
            values = [msgspec.json.decode(fields[name]) for name in _FRAME if name in fields]
            tokens = sum(self._counter(text) for value in values for text in bodies.texts(value))
            first = self._blocks[frame] = self._key(frame), tokens
        return (first, *map(self._block, parts.messages))

    def _block(self, message: bytes) -> Block:
        known = self._blocks.get(message)
        if known is None:
            texts = bodies.texts(msgspec.json.decode(message))
            tokens = sum(map(self._counter, texts)) + _MESSAGE_TOKENS
            known = self._blocks[message] = self._key(bodies.canonical(message)), tokens
        return known

    def _key(self, text: bytes) -> int:
        return self._keys.setdefault(text, len(self._keys))


def _longest(requests: Sequence[Sequence[Block]]) -> int:
    return max((sum(tokens for _, tokens in request) for request in requests), default=0)
