"""The input bill of a conversation as the client sent it and as we would: the provider's cache simulated twice."""

from collections.abc import Callable, Sequence

import msgspec

from tokenpakd.replay import bodies

_MESSAGE_TOKENS = 4
"""What wraps a message, about the same with every provider; equal in both arms."""
_FRAME = ("tools", "system", "instructions", "systemInstruction", "system_instruction")

Counter = Callable[[str], int]


class Block(msgspec.Struct, frozen=True, gc=False):
    """One message, or the frame before them: what tells it from others, and its tokens."""

    name: bytes
    tokens: int


class Regime(msgspec.Struct, frozen=True, kw_only=True):
    """Prices in units of one uncached input token. Below `minimum_tokens` the provider caches nothing."""

    name: str
    write: float
    read: float
    minimum_tokens: int


class ArmsWatch:
    """Looks at the requests of one conversation in order, both arms; bills them afterwards."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._blocks: dict[bytes, Block] = {}
        self._raw: list[tuple[Block, ...]] = []
        self._sent: list[tuple[Block, ...]] = []

    @property
    def requests(self) -> int:
        return len(self._raw)

    def see(self, raw: bytes, sent: bytes) -> None:
        """Note one request of both arms."""
        self._raw.append(self._taken(raw))
        self._sent.append(self._raw[-1] if sent is raw else self._taken(sent))

    def tokens(self) -> tuple[int, int]:
        """Return the tokens of the longest request of each arm: the conversation's, each counted once."""
        return _longest(self._raw), _longest(self._sent)

    def units(self, regime: Regime) -> tuple[float, float]:
        """Return what each arm's input costs."""
        return _units(self._raw, regime), _units(self._sent, regime)

    def _taken(self, body: bytes) -> tuple[Block, ...]:
        parts = bodies.parts(body)
        fields = dict(parts.frame)
        frame = b"".join(fields.get(name, b"") for name in _FRAME)
        texts = [text for name in _FRAME if name in fields for text in bodies.texts(msgspec.json.decode(fields[name]))]
        first = Block(frame, sum(map(self._counter, texts)))
        return (first, *map(self._block, parts.messages))

    def _block(self, message: bytes) -> Block:
        known = self._blocks.get(message)
        if known is None:
            texts = bodies.texts(msgspec.json.decode(message))
            tokens = sum(map(self._counter, texts)) + _MESSAGE_TOKENS
            known = self._blocks[message] = Block(bodies.canonical(message), tokens)
        return known


def _longest(requests: Sequence[Sequence[Block]]) -> int:
    return max((sum(block.tokens for block in request) for request in requests), default=0)


def _units(requests: Sequence[Sequence[Block]], regime: Regime) -> float:
    total = 0.0
    held: list[tuple[Block, ...]] = []
    for request in requests:
        tokens = sum(block.tokens for block in request)
        hit = 0
        for prefix in held:
            if len(prefix) <= len(request) and tuple(request[: len(prefix)]) == prefix:
                hit = max(hit, sum(block.tokens for block in prefix))
        is_cached = tokens >= regime.minimum_tokens
        total += regime.read * hit + (regime.write if is_cached else 1.0) * (tokens - hit)
        if is_cached:
            held = [tuple(request)] if hit else [*held, tuple(request)]
    return total
