"""What two arms of conversations say, and when they say nothing."""

import math

import pytest

from tokenpakd.control.comparison import ConversationUse, _student, compare

DAY_MS = 86_400_000


def _arm(arm: str, *per_request: int, requests: int = 10, began: int = 100 * DAY_MS) -> list[ConversationUse]:
    return [ConversationUse(arm, began, requests, units * requests) for units in per_request]


@pytest.mark.parametrize(
    ("on", "held_out", "difference", "verdict"),
    [
        ((90, 91, 92, 93, 94), (100, 101, 102, 103, 104), 10, "saves"),
        ((100, 101, 102, 103, 104), (90, 91, 92, 93, 94), -10, "costs"),
        ((90, 191, 92, 93, 94), (100, 101, 2, 103, 204), -10, "unclear"),
        ((90, 91, 92, 93, 94), (90, 91, 92, 93, 94), 0, "unclear"),
        ((90, 90, 90, 90), (100, 100, 100, 100, 100), 10, "too_few"),
        ((90, 90, 90, 90, 90), (100,), 10, "too_few"),
        ((100, 100, 100, 100, 100), (100, 100, 100, 100, 100), 0, "unclear"),
        ((90, 90, 90, 90, 90), (100, 100, 100, 100, 100), 10, "saves"),
    ],
)
def test_says_which_arm_cost_less(
    on: tuple[int, ...], held_out: tuple[int, ...], difference: int, verdict: str
) -> None:
    found = compare([*_arm("on", *on), *_arm("holdout", *held_out)])
    assert found is not None
    assert (found.saved_milli_units_per_request, found.verdict) == (difference, verdict)
    assert (found.compressed.conversations, found.held_out.requests) == (len(on), 10 * len(held_out))
    is_few = verdict == "too_few"
    assert (found.interval_milli_units is None, found.standard_error_milli_units is None) == (is_few, is_few)


@pytest.mark.parametrize("uses", [[], _arm("on", 1, 2), _arm("holdout", 1), _arm("off", 1) + _arm("holdout", 2)])
def test_is_silent_without_conversations_of_both_arms(uses: list[ConversationUse]) -> None:
    assert compare(uses) is None


def test_the_error_is_that_of_conversations_not_of_requests() -> None:
    """Means 110 and 100; each arm's conversations lie 10 off its mean: sqrt(2 * (6/5 * 6*100 / 36)) = 6.3."""
    uses = [*_arm("on", 90, 110, 90, 110, 90, 110), *_arm("holdout", 100, 120, 100, 120, 100, 120)]
    for requests in (1, 1000):
        many = [ConversationUse(use.arm, use.began_unix_ms, requests, use.milli_units // 10 * requests) for use in uses]
        found = compare(many)
        assert found is not None
        assert found.standard_error_milli_units == round(math.sqrt(2 * 6 / 5 * 600 / 36))
        assert found.interval_milli_units is not None
        low, high = found.interval_milli_units
        assert (low + high, found.verdict) == (20, "unclear")


def test_a_long_conversation_weighs_by_its_requests() -> None:
    uses = [*_arm("on", 10, 10, 10, 10), *_arm("on", 20, requests=60), *_arm("holdout", 1, 1, 1, 1, 1)]
    found = compare(uses)
    assert found is not None
    assert found.compressed.milli_units_per_request == 16


def test_what_was_compressed_before_or_after_the_holdout_is_other_work() -> None:
    held_out = _arm("holdout", 5, 5, 5, 5, 5)
    outside = [*_arm("on", 999, began=98 * DAY_MS), *_arm("on", 999, began=102 * DAY_MS)]
    found = compare([*outside, *_arm("on", 4, 4, 4, 4, 4, began=101 * DAY_MS), *held_out])
    assert found is not None
    assert (found.compressed.conversations, found.saved_milli_units_per_request) == (5, 1)
    assert compare([*outside, *held_out]) is None


@pytest.mark.parametrize(("freedom", "quantile"), [(4, 2.776), (5, 2.571), (10, 2.228), (30, 2.042), (1000, 1.962)])
def test_the_quantile_is_students(freedom: int, quantile: float) -> None:
    assert _student(freedom) == pytest.approx(quantile, rel=0.01)
    assert _student(0) == math.inf
