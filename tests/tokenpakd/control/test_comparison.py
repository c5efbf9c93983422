"""What two arms of conversations say, and when they say nothing."""

import pytest

from tokenpakd.control.comparison import _student, judged
from tokenpakd.exchange.savings import ArmComparison, ArmFigures, Difference, Estimate


def _arms(on: int, held_out: int, difference: float, error: float | None) -> ArmComparison:
    per_request = Difference(units=Estimate(mean=difference, standard_error=error))
    mean = Estimate(mean=100.0, standard_error=error)
    return ArmComparison(
        on=ArmFigures(arm="on", conversations=on, requests=10 * on, requests_unmeasured=2, units_per_request=mean),
        holdout=ArmFigures(arm="holdout", conversations=held_out, requests=10 * held_out, requests_unweighted=3),
        per_request=per_request,
    )


@pytest.mark.parametrize(
    ("on", "held_out", "difference", "error", "saved", "verdict"),
    [
        (50, 5, -10.0, 3.0, 10_000, "saves"),
        (50, 5, 10.0, 3.0, -10_000, "costs"),
        (50, 5, -10.0, 3.7, 10_000, "unclear"),  # 2.776 standard errors with five conversations
        (500, 500, -10.0, 4.9, 10_000, "saves"),  # 1.965 with five hundred
        (5, 5, 0.0, 0.0, 0, "unclear"),
        (5, 5, -1.0, 0.0, 1_000, "saves"),
        (4, 500, -10.0, 0.1, 10_000, "too_few"),
        (500, 4, 10.0, 0.1, -10_000, "too_few"),
        (5, 5, -1.0, None, 1_000, "too_few"),
    ],
)
def test_says_what_was_saved_and_whether_it_can_be_told(
    on: int, held_out: int, difference: float, error: float | None, saved: int, verdict: str
) -> None:
    found = judged(_arms(on, held_out, difference, error))
    assert found is not None
    assert (found.saved_milli_units_per_request, found.verdict) == (saved, verdict)
    assert (found.compressed.conversations, found.held_out.requests) == (on, 10 * held_out)
    assert (found.compressed.requests_left_out, found.held_out.requests_left_out) == (2, 3)
    assert (found.compressed.milli_units_per_request, found.held_out.milli_units_per_request) == (100_000, None)
    is_few = verdict == "too_few"
    assert (found.interval_milli_units is None, found.standard_error_milli_units is None) == (is_few, is_few)


def test_the_interval_lies_around_what_was_saved() -> None:
    found = judged(_arms(11, 30, -5.0, 1.0))
    assert found is not None
    assert found.interval_milli_units is not None
    low, high = found.interval_milli_units
    assert (low + high) / 2 == 5_000
    assert high - 5_000 == pytest.approx(2_228, rel=0.001)


@pytest.mark.parametrize(
    "arms",
    [ArmComparison(), ArmComparison(on=ArmFigures(arm="on", conversations=9, requests=9)), _arms(9, 0, 1.0, 1.0)],
)
def test_is_silent_until_both_arms_were_measured(arms: ArmComparison) -> None:
    assert judged(arms) is None


@pytest.mark.parametrize(("freedom", "quantile"), [(4, 2.776), (5, 2.571), (10, 2.228), (30, 2.042), (1000, 1.962)])
def test_the_quantile_is_students(freedom: int, quantile: float) -> None:
    assert _student(freedom) == pytest.approx(quantile, rel=0.01)
