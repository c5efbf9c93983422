"""The compressors and the sets they run in. A new one is a file and one line here.

A set's name is pinned with a conversation. What a set does to a text never changes under its name: a better
compressor makes a new set, and conversations that began with the old one stay with it.
"""

import enum
from collections.abc import Callable

import msgspec

from tokenpakd.compression import (
    caps,
    code_views,
    dense_lines,
    extract,
    passed_tests,
    prefixes,
    templates,
    terminal,
)
from tokenpakd.compression.segments import Segment
from tokenpakd.tip.modes import Mode


class Loss(enum.StrEnum):
    """What a compressor takes away: nothing that cannot be decoded, or something."""

    NONE = "none"
    SOME = "some"


class Compressor(msgspec.Struct, frozen=True, kw_only=True):
    """One way to say a single block shorter. `shorten` is pure; None leaves the text as it is.

    `once_a_file`: who looks at a file again looks for what was left out; the next view of it is whole.
    """

    name: str
    loss: Loss
    shorten: Callable[[str, Segment], str | None]
    once_a_file: bool = False


class CompressorSet(msgspec.Struct, frozen=True, kw_only=True):
    """What is done to tool results, in order, before repeats are looked for across blocks.

    JSON results go through columns and values instead. `user_text`: the same for what the user pasted.
    `is_legacy`: only whole repeats, in the words of the first version.
    """

    name: str
    block_local: tuple[Compressor, ...] = ()
    user_text: tuple[Compressor, ...] = ()
    is_legacy: bool = False


_LOSSLESS = (
    Compressor(name="terminal", loss=Loss.NONE, shorten=terminal.shorten),
    Compressor(name="prefixes", loss=Loss.NONE, shorten=prefixes.shorten),
)
_EXTRACT = Compressor(name="extract", loss=Loss.SOME, shorten=extract.shorten)
_PASTED = Compressor(name="pasted", loss=Loss.SOME, shorten=extract.shorten_pasted)
_LOSSY = (
    _LOSSLESS[0],
    Compressor(name="passed_tests", loss=Loss.SOME, shorten=passed_tests.shorten),
    Compressor(name="templates", loss=Loss.SOME, shorten=templates.shorten),
    Compressor(name="dense_lines", loss=Loss.SOME, shorten=dense_lines.shorten),
    Compressor(name="code_views", loss=Loss.SOME, shorten=code_views.shorten, once_a_file=True),
    _EXTRACT,
    Compressor(name="caps", loss=Loss.SOME, shorten=caps.shorten),
    _LOSSLESS[1],
)
_SETS = {
    each.name: each
    for each in (
        CompressorSet(name="repeats-1", is_legacy=True),
        CompressorSet(name="hybrid-1", block_local=_LOSSLESS),
        CompressorSet(name="aggressive-1", block_local=_LOSSY, user_text=(_PASTED,)),
    )
}
_BY_MODE = {Mode.STRICT: "", Mode.HYBRID: "hybrid-1", Mode.AGGRESSIVE: "aggressive-1"}


def set_name(mode: Mode) -> str:
    """Return the set that new conversations of a mode are pinned to; empty for strict."""
    return _BY_MODE[mode]


def compressor_set(name: str) -> CompressorSet | None:
    """Return a set by its name; None for one that this version does not hold: nothing is done then."""
    return _SETS.get(name)
