"""The arms beside each other, and the sentence below them."""

from typing import Any

import pytest

from tokenpakctl.holdout import comparison, sentence
from tokenpakctl.render import View

HOLDOUT: dict[str, Any] = {
    "compressed": {"conversations": 40, "requests": 900, "milli_units_per_request": 12_300_000},
    "held_out": {
        "conversations": 6, "requests": 98, "milli_units_per_request": 13_100_000, "requests_left_out": 2,
    },
    "saved_milli_units_per_request": 800_000, "standard_error_milli_units": 250_000,
    "interval_milli_units": [157_000, 1_443_000], "verdict": "saves",
}  # fmt: skip

SHOWN = """\
compressed and held out, in price-weighted input per request (provider-measured, units)
  compressed  12,300  40 conversations, 900 requests
  held out    13,100  6 conversations, 98 requests, 2 more without usage or price
  saved       +800  ± 250 standard error
  compressed conversations cost 800 units (6.1%) less input per request"""


def test_the_arms_with_difference_error_and_sentence() -> None:
    assert comparison(View(HOLDOUT)) == SHOWN


def test_a_loss_is_a_loss() -> None:
    lost = {**HOLDOUT, "saved_milli_units_per_request": -1_310_000, "verdict": "costs"}
    shown = comparison(View(lost))
    assert "  saved       −1,310  ± 250" in shown
    assert shown.endswith("compressed conversations cost 1,310 units (10.0%) more input per request")


@pytest.mark.parametrize(
    ("verdict", "why"),
    [("too_few", "fewer than 5 in an arm"), ("unclear", "the interval of 95 % spans zero")],
)
def test_nothing_is_claimed_where_it_cannot_be_told(verdict: str, why: str) -> None:
    found = {**HOLDOUT, "verdict": verdict, "standard_error_milli_units": None}
    assert sentence(View(found)) == f"not enough conversations to tell: {why}"
    assert "too few conversations for an error" in comparison(View(found))


def test_an_arm_without_usage_is_shown_as_such() -> None:
    bare = {**HOLDOUT, "held_out": {"conversations": 1, "requests": 0}}
    assert "held out    –  1 conversation, 0 requests" in comparison(View(bare))
    assert "cost 800 units less" in sentence(View(bare))
