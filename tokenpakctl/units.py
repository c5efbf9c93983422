"""Savings in words: signed units, what a broken prefix means, what a provider measured."""

from __future__ import annotations

from tokenpakctl.render import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tokenpakctl.render import View

UNIT = "1 unit = the price of one uncached input token"

PREFIX_WORDS = {
    "none": "went on unbroken",
    "client": "broken by the client: it changed what it had sent",
    "us": "broken by TokenPak: a re-pin or masking changed what had been sent",
    "ttl": "grown cold: too long a pause for the provider's cache",
    "model": "broken by the client: another model",
    "tools": "broken by the client: other tools",
}

USAGE_FIELDS = (
    ("input_uncached", "input, uncached"),
    ("cache_read", "cache read"),
    ("cache_write_5m", "cache write 5m"),
    ("cache_write_1h", "cache write 1h"),
    ("output", "output"),
)


def signed_units(milli_units: float) -> str:
    """Yield +1,240 units, −3.5 units: a loss has its sign, and a small amount its decimals."""
    return f"{signed(milli_units)} units"


def signed(milli_units: float) -> str:
    """Yield thousandths as units with a sign; zero has none."""
    amount = f"{abs(milli_units) / 1000:,.0f}" if abs(milli_units) >= 99_950 else f"{abs(milli_units) / 1000:,.1f}"
    return ("−" if milli_units < 0 else "+") + amount if amount != "0.0" else "0"


def signed_percent(share: float) -> str:
    """Yield +6.5%, −0.2% from 0.065, −0.002."""
    amount = f"{abs(share) * 100:.1f}%"
    return ("−" if share < 0 else "+") + amount if amount != "0.0%" else "0%"


def usage_words(usage: View) -> str:
    """Yield what the provider reported in one line; empty where it reported nothing."""
    found = ((usage.number(field), name) for field, name in USAGE_FIELDS)
    return ", ".join(f"{count(value)} {name.replace(', ', ' ')}" for value, name in found if value is not None)
