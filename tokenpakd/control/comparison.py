"""What two arms of conversations say: compressed ones beside those that were left alone. Pure.

Everything in it was measured by the provider and priced; nothing is simulated. Conversations were drawn, requests were
not, so it is the number of conversations that decides how much a difference means.
"""

from tokenpakd.exchange.savings import ArmComparison, ArmFigures
from tokenpakd.ipc.savings_api import ArmResult, HoldoutResult, Verdict

CONVERSATIONS_MIN = 5
"""Fewer in one arm say nothing."""

_Z = 1.959964  # two-sided 95 % of the normal distribution


def judged(arms: ArmComparison) -> HoldoutResult | None:
    """Yield both arms and what was saved per request, below zero for a loss; None until both were measured."""
    if arms.per_request is None or not arms.on.conversations or not arms.holdout.conversations:
        return None
    # The store takes what was held out from what was compressed; what was saved is the other way round.
    saved, error = -arms.per_request.units.mean, arms.per_request.units.standard_error
    fewest = min(arms.on.conversations, arms.holdout.conversations)
    if fewest < CONVERSATIONS_MIN or error is None:
        return _result(arms, saved, None, None, "too_few")
    half = _student(fewest - 1) * error
    verdict: Verdict = "unclear" if abs(saved) <= half else "saves" if saved > 0 else "costs"
    return _result(arms, saved, error, half, verdict)


def _result(
    arms: ArmComparison, saved: float, error: float | None, half: float | None, verdict: Verdict
) -> HoldoutResult:
    return HoldoutResult(
        compressed=_arm(arms.on),
        held_out=_arm(arms.holdout),
        saved_milli_units_per_request=round(1000 * saved),
        standard_error_milli_units=None if error is None else round(1000 * error),
        interval_milli_units=None if half is None else (round(1000 * (saved - half)), round(1000 * (saved + half))),
        verdict=verdict,
    )


def _arm(figures: ArmFigures) -> ArmResult:
    per_request = figures.units_per_request
    return ArmResult(
        conversations=figures.conversations,
        requests=figures.requests,
        milli_units_per_request=None if per_request is None else round(1000 * per_request.mean),
        requests_left_out=figures.requests_unmeasured + figures.requests_unweighted,
    )


def _student(freedom: int) -> float:
    """Yield the two-sided 95 % quantile of Student's distribution; within 1 % from 4 degrees of freedom on."""
    return (
        _Z
        + (_Z**3 + _Z) / (4 * freedom)
        + (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / (96 * freedom**2)
        + (3 * _Z**7 + 19 * _Z**5 + 17 * _Z**3 - 15 * _Z) / (384 * freedom**3)
    )
