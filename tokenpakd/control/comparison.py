"""Conversations that were compressed beside conversations that were left alone. Pure.

What the provider measured, priced, and nothing simulated. Conversations were drawn, requests were not: those of one
conversation resemble each other, so an arm's mean is a ratio over conversations (all units by all requests) and its
error that of such a ratio. A compressed conversation counts only where it began within a day of the time in which
conversations were held out: a month before the holdout was switched on, the work was other work.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from tokenpakd.ipc.savings_api import ArmResult, HoldoutResult, Verdict

CONVERSATIONS_MIN = 5
"""Fewer in one arm say nothing."""

_AROUND_MS = 86_400_000
_Z = 1.959964  # two-sided 95 % of the normal distribution


class ConversationUse(msgspec.Struct, frozen=True):
    """What one conversation cost: the price-weighted input of its requests, in thousandths of an uncached token."""

    arm: str
    began_unix_ms: int
    requests: int
    milli_units: int


class _Mean(NamedTuple):
    milli_units: float
    variance: float
    """Of the mean; 0 where one conversation alone cannot tell."""


def compare(uses: Sequence[ConversationUse]) -> HoldoutResult | None:
    """Yield both arms and their difference, positive where compression paid; None without conversations of both."""
    held_out = [use for use in uses if use.arm == "holdout" and use.requests > 0]
    if not held_out:
        return None
    first = min(use.began_unix_ms for use in held_out) - _AROUND_MS
    last = max(use.began_unix_ms for use in held_out) + _AROUND_MS
    compressed = [use for use in uses if use.arm == "on" and use.requests > 0 and first <= use.began_unix_ms <= last]
    if not compressed:
        return None
    on, off = _mean(compressed), _mean(held_out)
    difference, error = off.milli_units - on.milli_units, math.sqrt(on.variance + off.variance)
    is_few = min(len(compressed), len(held_out)) < CONVERSATIONS_MIN
    half = _student(min(len(compressed), len(held_out)) - 1) * error
    spans_zero = abs(difference) <= half
    verdict: Verdict = "too_few" if is_few else "unclear" if spans_zero else "saves" if difference > 0 else "costs"
    return HoldoutResult(
        compressed=_arm(compressed, on),
        held_out=_arm(held_out, off),
        saved_milli_units_per_request=round(difference),
        standard_error_milli_units=None if is_few else round(error),
        interval_milli_units=None if is_few else (round(difference - half), round(difference + half)),
        verdict=verdict,
    )


def _mean(uses: Sequence[ConversationUse]) -> _Mean:
    requests = sum(use.requests for use in uses)
    mean = sum(use.milli_units for use in uses) / requests
    if len(uses) < 2:
        return _Mean(mean, 0.0)
    spread = sum((use.milli_units - mean * use.requests) ** 2 for use in uses)
    return _Mean(mean, len(uses) / (len(uses) - 1) * spread / requests**2)


def _arm(uses: Sequence[ConversationUse], mean: _Mean) -> ArmResult:
    return ArmResult(
        conversations=len(uses),
        requests=sum(use.requests for use in uses),
        milli_units_per_request=round(mean.milli_units),
    )


def _student(freedom: int) -> float:
    """Yield the two-sided 95 % quantile of Student's distribution; within 1 % from 4 degrees of freedom on."""
    if freedom < 1:
        return math.inf
    return (
        _Z
        + (_Z**3 + _Z) / (4 * freedom)
        + (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / (96 * freedom**2)
        + (3 * _Z**7 + 19 * _Z**5 + 17 * _Z**3 - 15 * _Z) / (384 * freedom**3)
    )
