"""The compressors and the modes they run in. A new one is a file and one line here."""

import enum
from collections.abc import Callable, Sequence

import msgspec

from tokenpakd.compression import repeats
from tokenpakd.compression.splice import Replacement
from tokenpakd.exchange.request import Span, SpanKind
from tokenpakd.tip.modes import Mode
from tokenpakd.tokens.estimate import estimate_saved


class Loss(enum.StrEnum):
    """What a compressor takes away. `REDUNDANT`: only what stands verbatim elsewhere in the same request."""

    REDUNDANT = "redundant"


class Compressor(msgspec.Struct, frozen=True, kw_only=True):
    """One way to say less. `replacements(body, spans)` is pure and looks at nothing behind the span it decides on."""

    name: str
    reads: frozenset[SpanKind]
    loss: Loss
    replacements: Callable[[bytes, Sequence[Span]], tuple[Replacement, ...]]


_REPEATS = Compressor(
    name="repeats",
    reads=frozenset((SpanKind.TOOL_RESULT,)),
    loss=Loss.REDUNDANT,
    replacements=repeats.replacements,
)
_BY_MODE: dict[Mode, tuple[Compressor, ...]] = {
    Mode.STRICT: (),
    Mode.HYBRID: (_REPEATS,),
    Mode.AGGRESSIVE: (_REPEATS,),
}


def compressors(mode: Mode) -> tuple[Compressor, ...]:
    """Return what runs in a mode, in order; nothing in strict."""
    return _BY_MODE[mode]


def replacements(mode: Mode, body: bytes, spans: Sequence[Span]) -> tuple[Replacement, ...]:
    """Return what the mode's compressors replace, in the order of the body.

    Where two want the same span, the one listed first has it.
    """
    running = compressors(mode)
    if len(running) == 1:
        return running[0].replacements(body, spans)
    taken: dict[int, Replacement] = {}
    for compressor in running:
        for replacement in compressor.replacements(body, spans):
            taken.setdefault(replacement.start, replacement)
    return tuple(taken[start] for start in sorted(taken))


def saved_tokens(body: bytes, replaced: Sequence[Replacement]) -> int:
    """Return about how many tokens fewer the body is after these replacements; an estimate."""
    return sum(estimate_saved(body[change.start : change.end], change.literal) for change in replaced)
