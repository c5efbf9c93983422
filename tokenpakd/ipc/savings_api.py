"""What tokenpakctl and the daemon say to each other about savings: `savings` and `explain`.

Units: one is the price of one uncached input token of the model asked; amounts are in thousandths, signed.
"""

from typing import Literal

import msgspec

from tokenpakd.exchange.savings import SavingsGroup

Verdict = Literal["too_few", "unclear", "saves", "costs"]
By = Literal["model", "day", "arm", "repo"]


class SavingsParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`since_unix_ms` absent: everything on record. `by`: one line each as well."""

    since_unix_ms: int | None = None
    by: By | None = None


class ExplainParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The request id, as in `x-tokenpak-request-id`."""

    id: str


class ArmResult(msgspec.Struct, frozen=True, kw_only=True):
    """One arm of the holdout: price-weighted input as the provider measured it, per request."""

    conversations: int
    requests: int
    milli_units_per_request: int | None
    requests_left_out: int = 0
    """The provider reported no usage, or nobody knows what the model's cache costs."""


class HoldoutResult(msgspec.Struct, frozen=True, kw_only=True):
    """Compressed conversations beside those left alone. A saving is positive, a loss negative.

    Thousandths of the price of one uncached input token. `interval_milli_units` holds the difference with 95 %
    confidence; None, as the error, where an arm is too small to say. `verdict`: too_few, unclear (the interval spans
    zero), saves, costs. `confidence`: what the usage rests on.
    """

    compressed: ArmResult
    held_out: ArmResult
    saved_milli_units_per_request: int
    standard_error_milli_units: int | None
    interval_milli_units: tuple[int, int] | None
    verdict: Verdict
    confidence: str = "provider-measured"


class ConfidenceResult(msgspec.Struct, frozen=True, kw_only=True):
    """What each of the figures rests on."""

    removed: str = "estimated"
    measured: str = "provider-measured"
    simulated: str = "simulated"
    would_save: str = "estimated"


class SavingsResult(msgspec.Struct, frozen=True, kw_only=True):
    """Three sets of figures that are never added up; in `groups` too where `by` was asked for.

    `raw_milli_units`: what the provider measured, priced, and the simulated saving: the bill without compression.
    `share` is the saving's part of it, below zero for a loss. Both None where nothing was measured or simulated.
    `terms_as_of`: the date of the cache prices.
    """

    since_unix_ms: int
    by: By | None
    total: SavingsGroup
    groups: tuple[SavingsGroup, ...] = ()
    groups_left_out: int = 0
    raw_milli_units: int | None = None
    share: float | None = None
    terms_as_of: str = ""
    confidence: ConfidenceResult = ConfidenceResult()
    holdout: HoldoutResult | None = None
