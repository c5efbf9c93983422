"""Signs, small amounts, and the words for what a provider measured."""

import pytest

from tokenpakctl.render import View
from tokenpakctl.units import PREFIX_WORDS, signed, signed_percent, signed_units, usage_words
from tokenpakd.exchange.row import PREFIX_BREAKS


@pytest.mark.parametrize(
    ("milli_units", "text"),
    [
        (0, "0"),
        (49, "0"),
        (-49, "0"),
        (50, "+0.1"),
        (-1234, "−1.2"),
        (99_949, "+99.9"),
        (99_950, "+100"),
        (-23_400_123, "−23,400"),
    ],
)
def test_a_loss_has_its_sign_and_a_small_amount_its_decimals(milli_units: float, text: str) -> None:
    assert signed(milli_units) == text
    assert signed_units(milli_units) == f"{text} units"


@pytest.mark.parametrize(("share", "text"), [(0.065, "+6.5%"), (-0.0021, "−0.2%"), (0.0, "0%"), (-0.0004, "0%")])
def test_a_share_has_its_sign(share: float, text: str) -> None:
    assert signed_percent(share) == text


def test_usage_names_only_what_was_reported() -> None:
    usage = {"input_uncached": 1200, "cache_read": 0, "cache_write_5m": None, "output": 7, "suspect": False}
    assert usage_words(View(usage)) == "1,200 input uncached, 0 cache read, 7 output"
    assert usage_words(View({})) == ""


def test_every_cause_on_record_has_its_words() -> None:
    assert set(PREFIX_WORDS) == set(PREFIX_BREAKS)
