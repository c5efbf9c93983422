"""What `savings` shows: three figures that are never added, and the two arms of a comparison.

Tokens removed are our own count, usage is what the provider measured, the saving in units is simulated. Money is not
priced here: a unit is the price of one uncached input token of the model at hand.
"""

import enum

import msgspec


class SavingsBy(enum.StrEnum):
    """What savings are grouped by. `DAY` is the daemon's local day on which a request arrived."""

    MODEL = "model"
    DAY = "day"
    ARM = "arm"


class InputWeights(msgspec.Struct, frozen=True, kw_only=True):
    """What one input token of a model costs, in units.

    With `uncached` left at 1.0 units of different models are not worth the same; a caller that knows prices sets it.
    """

    cache_read: float
    cache_write_5m: float
    cache_write_1h: float
    uncached: float = 1.0


class RemovedTokens(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens that were not sent, counted by us. `total` is the other two."""

    total: int = 0
    first_seen: int = 0
    """Removed the first time their text would have been sent."""
    known: int = 0
    """Removed once more, in requests that repeat text which the one before had left out: mostly cache reads."""


class MeasuredUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of what the provider reported for `requests` of the group's; null where it never did."""

    requests: int = 0
    input_uncached: int | None = None
    cache_read: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None
    output: int | None = None


class SimulatedSaving(msgspec.Struct, frozen=True, kw_only=True):
    """Raw arm minus sent arm against a simulated provider cache: below zero is a loss."""

    milli_units: int | None = None
    """Null where no request was simulated."""
    requests: int = 0
    requests_unknown: int = 0


class WouldSave(msgspec.Struct, frozen=True, kw_only=True):
    """What compression would have removed from requests that went out untouched."""

    tokens: int | None = None
    milli_units: int | None = None
    requests: int = 0


class SavingsGroup(msgspec.Struct, frozen=True, kw_only=True):
    """One group. Refusals, provider errors without usage and calls that only count tokens are not in it."""

    key: str | None
    """Null where the request named no model."""
    requests: int = 0
    conversations: int = 0
    sent_tokens: int = 0
    """The provider's total where it reported one, else our count."""
    removed: RemovedTokens = RemovedTokens()
    measured: MeasuredUsage = MeasuredUsage()
    simulated: SimulatedSaving = SimulatedSaving()
    would_save: WouldSave = WouldSave()
    prefix_breaks: dict[str, int] = {}
    """Requests by PREFIX_BREAKS; `none` went on unbroken. A conversation's first request is in none of them."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A mean and its standard error over conversations; null where fewer than two were seen."""

    mean: float
    standard_error: float | None = None


class ArmFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One arm, from usage that the provider measured. Means are null where nothing was measured."""

    arm: str
    conversations: int = 0
    requests: int = 0
    """Measured and weighted; those below are beside it."""
    requests_unmeasured: int = 0
    """The provider reported no usage."""
    requests_unweighted: int = 0
    """The model's weights are not known."""
    units_per_request: Estimate | None = None
    """Of all requests together; long conversations count for more."""
    units_per_conversation: Estimate | None = None


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """`on` against `holdout`: less than zero units, or a ratio below one, is a saving."""

    units: Estimate
    ratio: Estimate | None = None


class ArmComparison(msgspec.Struct, frozen=True, kw_only=True):
    """Conversations sent compressed beside those held out; differences are null until both arms were measured."""

    on: ArmFigures = ArmFigures(arm="on")
    holdout: ArmFigures = ArmFigures(arm="holdout")
    per_request: Difference | None = None
    per_conversation: Difference | None = None


class SavingsView(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `savings`. `groups_left_out` are beyond the first few hundred, and in `total` all the same."""

    since_unix_ms: int
    by: SavingsBy | None
    total: SavingsGroup
    groups: tuple[SavingsGroup, ...] = ()
    groups_left_out: int = 0
    arms: ArmComparison
