"""The usage vector: what the provider reported, None where it did not."""

import msgspec


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens as the provider reported them.

    `input_uncached, cache_read, cache_write_5m, cache_write_1h, output` are disjoint and add up;
    `reasoning` and `audio_output` are parts of output, `audio_input` of input. None is not 0.
    """

    input_uncached: int | None = None
    cache_read: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None
    output: int | None = None
    reasoning: int | None = None
    audio_input: int | None = None
    audio_output: int | None = None
    service_tier: str | None = None
    suspect: bool = False
    """True where a reported figure was impossible (negative, absurdly large) and was left out."""

    @property
    def input_total(self) -> int | None:
        """All input tokens, cache reads and writes included; None when the provider reported none."""
        parts = (self.input_uncached, self.cache_read, self.cache_write_5m, self.cache_write_1h)
        known = [part for part in parts if part is not None]
        return sum(known) if known else None
