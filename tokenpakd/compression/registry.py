"""The compressors and the modes they run in. A new one is a file and one line here."""

import enum
from collections.abc import Callable, Sequence

import msgspec

from tokenpakd.compression import repeats
from tokenpakd.compression.splice import Replacement
from tokenpakd.exchange.request import Span, SpanKind
from tokenpakd.tip.modes import Mode


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
