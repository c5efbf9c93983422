"""What input costs by the published terms of the providers' caches, and what the measured bill was. Pure."""

from collections.abc import Iterable

from tokenpakd.config.cache_terms import UNKNOWN, CacheTermsBook
from tokenpakd.exchange.request import DialectName
from tokenpakd.exchange.savings import InputWeights, SavingsGroup


def weights_of(book: CacheTermsBook, model: str | None, dialect: str) -> InputWeights | None:
    """Yield what one input token of a model costs in units; None where no row of the book names it."""
    try:
        wire = DialectName(dialect)
    except ValueError:  # recorded by a version that spoke one more
        wire = DialectName.OTHER
    terms = book.terms_for(model, wire)
    if terms is UNKNOWN:
        return None
    return InputWeights(cache_read=terms.read, cache_write_5m=terms.write_5m, cache_write_1h=terms.write_1h)


def raw_and_saved(models: Iterable[SavingsGroup], book: CacheTermsBook) -> tuple[int, int] | None:
    """Yield the bill without compression and what was saved of it, in thousandths of a unit.

    The first is what the provider measured, priced, and the simulated saving; models that lack either are in
    neither. None where no model has both.
    """
    sent = saved = 0
    has_any = False
    for group in models:
        weights, measured = weights_of(book, group.key, DialectName.OTHER), group.measured
        if weights is None or group.simulated.milli_units is None or not measured.requests:
            continue
        has_any = True
        saved += group.simulated.milli_units
        units = (
            weights.uncached * (measured.input_uncached or 0)
            + weights.cache_read * (measured.cache_read or 0)
            + weights.cache_write_5m * (measured.cache_write_5m or 0)
            + weights.cache_write_1h * (measured.cache_write_1h or 0)
        )
        sent += round(1000 * units)
    return (sent + saved, saved) if has_any else None
