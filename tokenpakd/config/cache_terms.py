"""What a provider's prompt cache costs and takes, model by model: data, not code (`cache_terms.json`).

One unit is the price of one uncached input token of the same model. Where the data names no model, the terms are
careful guesses and say so.
"""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from importlib import resources
from typing import Annotated, Literal

import msgspec

from tokenpakd.config.model_ids import plain_id
from tokenpakd.exchange.request import DialectName

Confidence = Literal["documented", "reported", "measured", "assumed"]
"""The provider's own page or a copy of it; somebody's notes; seen in recorded usage; a guess."""

Multiplier = Annotated[float, msgspec.Meta(ge=0, le=100)]


class CacheTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model's terms. `write_5m`, `write_1h` and `read` multiply the price of an uncached input token."""

    pattern: str = "*"
    """Which models: a name with `*`, `?` and `[…]`, in the spelling of `plain_id`."""
    dialects: tuple[DialectName, ...] = ()
    """Only models asked for on these wires; none named: on all."""
    outranks: bool = False
    """Comes before every row that does not, however specific: on this wire the model's name says nothing."""
    write_5m: Multiplier = 1.25
    """Price of a token written to the cache; where there is no write fee, 1."""
    write_1h: Multiplier = 1.25
    """The same where the caller asked for the long lifetime."""
    read: Multiplier = 0.1
    min_cacheable_tokens: Annotated[int, msgspec.Meta(ge=0)] = 1024
    """Shorter prompts are not cached at all."""
    ttl_s: Annotated[int, msgspec.Meta(ge=0)] = 300
    """How long an entry lives after its last use."""
    ttl_long_s: Annotated[int, msgspec.Meta(ge=0)] = 300
    """The same where the caller asked for the long lifetime."""
    granularity_tokens: Annotated[int, msgspec.Meta(ge=1)] = 1
    """Hits are rounded down to a multiple of this."""
    needs_markers: bool = False
    """Nothing is cached unless the caller marks what to cache."""
    confidence: Confidence = "assumed"
    note: str = ""

    @property
    def is_cached(self) -> bool:
        """False where a cached token costs as much as any other."""
        return not self.read == self.write_5m == self.write_1h == 1

    def without_cache(self) -> "CacheTerms":
        """Yield the terms of a request nothing is cached for: no marker where one is needed, caching switched off."""
        return msgspec.structs.replace(self, write_5m=1.0, write_1h=1.0, read=1.0, min_cacheable_tokens=0)


_ONE_OF = re.compile(r"\[[^]]*\]")
_WILD = re.compile(r"[*?]")

UNKNOWN = CacheTerms()
"""Of a model that no row names."""


class CacheTermsBook(msgspec.Struct, frozen=True, kw_only=True):
    """Every row, the first that matches wins; `as_of` and `source` belong beside any figure made with it."""

    as_of: str
    source: str
    rows: tuple[CacheTerms, ...]

    def terms_for(self, model: str | None, dialect: DialectName) -> CacheTerms:
        """Yield the terms of one model; what no row names gets careful defaults marked `assumed`.

        20 µs: ask once per conversation, not once per block.
        """
        name = "" if model is None else plain_id(model)
        for row in self.rows:
            if (not row.dialects or dialect in row.dialects) and fnmatchcase(name, row.pattern):
                return row
        return UNKNOWN

    def overridden(self, rows: Iterable[CacheTerms]) -> "CacheTermsBook":
        """Yield a book in which these rows come before equally specific ones."""
        return msgspec.structs.replace(self, rows=_ranked((*rows, *self.rows)))


def book_of(raw: bytes) -> CacheTermsBook:
    """Yield the book that a JSON document holds, its rows in order of rank.

    Raises:
      msgspec.ValidationError: an unknown key, a figure out of bounds.
    """
    book = msgspec.json.decode(raw, type=CacheTermsBook)
    return msgspec.structs.replace(book, rows=_ranked(book.rows))


def load() -> CacheTermsBook:
    """Read the data that came with the package; for composition roots, once."""
    return book_of(resources.files(__package__).joinpath("cache_terms.json").read_bytes())


def _ranked(rows: tuple[CacheTerms, ...]) -> tuple[CacheTerms, ...]:
    return tuple(sorted(rows, key=_rank, reverse=True))  # stable: of equals the earlier stays first


def _rank(row: CacheTerms) -> tuple[bool, int, bool]:
    return row.outranks, len(_WILD.sub("", _ONE_OF.sub("1", row.pattern))), bool(row.dialects)
