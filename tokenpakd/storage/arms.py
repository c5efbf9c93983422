"""Conversations sent compressed beside those held out, by the usage that the provider measured.

The unit of chance is the conversation: a hash of it chose its arm. So errors are taken over conversations, also for a
figure per request, which is a ratio of two sums over them.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import apsw
import msgspec

from tokenpakd.exchange.row import HOLDOUT
from tokenpakd.exchange.savings import ArmComparison, ArmFigures, Difference, Estimate, InputWeights
from tokenpakd.storage.connection import integer, statement
from tokenpakd.storage.totals import BILLED, REPORTED

ON = "on"

_COLUMNS = statement(
    "arm, conversation, model, dialect, count(*), count(CASE WHEN",
    REPORTED,
    "THEN 1 END), coalesce(sum(input_uncached), 0), coalesce(sum(cache_read), 0), coalesce(sum(cache_write_5m), 0),"
    " coalesce(sum(cache_write_1h), 0)",
)
SINCE = statement("FROM exchanges WHERE seq >= ? AND at_unix_ms >= ? AND outcome <> 'refused' AND", BILLED)
"""Rows on which a model may have worked, from a place and a moment on."""
_BOTH_ARMS = statement(
    "SELECT", _COLUMNS, SINCE, "AND conversation IS NOT NULL AND arm IN ('on', 'holdout') GROUP BY 1, 2, 3, 4"
)
# Before the first conversation was held out there was nothing to compare with: another time, another kind of work.
_FIRST_HELD_OUT = statement("SELECT coalesce(min(at_unix_ms), 0)", SINCE, "AND arm = 'holdout'")


class _Part(msgspec.Struct, frozen=True, array_like=True):
    """One conversation's requests to one model, in the order of _COLUMNS."""

    arm: str
    conversation: str
    model: str | None
    dialect: str
    requests: int
    measured: int
    input_uncached: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int

    def units(self, weights: InputWeights) -> float:
        """Yield the price of the input."""
        return (
            self.input_uncached * weights.uncached
            + self.cache_read * weights.cache_read
            + self.cache_write_5m * weights.cache_write_5m
            + self.cache_write_1h * weights.cache_write_1h
        )


class Sample(NamedTuple):
    """One conversation: its measured requests and their price in units."""

    requests: int
    units: float


class _Arm:
    def __init__(self) -> None:
        self.conversations: dict[str, Sample] = {}
        self.unmeasured = 0
        self.unweighted = 0

    def add(self, part: _Part, weights: InputWeights | None) -> None:
        self.unmeasured += part.requests - part.measured
        if weights is None:
            self.unweighted += part.measured
        elif part.measured:
            requests, units = self.conversations.get(part.conversation, (0, 0.0))
            self.conversations[part.conversation] = Sample(requests + part.measured, units + part.units(weights))

    def figures(self, name: str) -> ArmFigures:
        samples = tuple(self.conversations.values())
        return ArmFigures(
            arm=name,
            conversations=len(samples),
            requests=sum(sample.requests for sample in samples),
            requests_unmeasured=self.unmeasured,
            requests_unweighted=self.unweighted,
            units_per_request=per_request(samples),
            units_per_conversation=per_conversation(samples),
        )


def compare(
    connection: apsw.Connection,
    bound: tuple[int, int],
    weights_of: Callable[[str | None, str], InputWeights | None],
) -> ArmComparison:
    """Yield both arms of the rows from a `seq` and a moment (both in `bound`) on, and from the first held out one on.

    Raises:
      apsw.Error: as SQLite says.
    """
    arms = {ON: _Arm(), HOLDOUT: _Arm()}
    known: dict[tuple[str | None, str], InputWeights | None] = {}
    seq, since_unix_ms = bound
    first_unix_ms = integer(connection, _FIRST_HELD_OUT, bound)
    for row in connection.execute(_BOTH_ARMS, (seq, max(since_unix_ms, first_unix_ms))):
        part = msgspec.convert(row, _Part)
        about = (part.model, part.dialect)
        if about not in known:
            known[about] = weights_of(*about)
        arms[part.arm].add(part, known[about])
    on, holdout = arms[ON].figures(ON), arms[HOLDOUT].figures(HOLDOUT)
    return ArmComparison(
        on=on,
        holdout=holdout,
        per_request=difference(on.units_per_request, holdout.units_per_request),
        per_conversation=difference(on.units_per_conversation, holdout.units_per_conversation),
    )


def per_conversation(samples: Sequence[Sample]) -> Estimate | None:
    """Yield the mean price of a conversation; None of none."""
    if not samples:
        return None
    mean = math.fsum(sample.units for sample in samples) / len(samples)
    return Estimate(mean=mean, standard_error=_error([sample.units - mean for sample in samples]))


def per_request(samples: Sequence[Sample]) -> Estimate | None:
    """Yield the price of a request, all requests together; None of none."""
    requests = sum(sample.requests for sample in samples)
    if not requests:
        return None
    mean = math.fsum(sample.units for sample in samples) / requests
    # Linearised: what each conversation's sum differs from what the mean foretells for so many requests.
    error = _error([sample.units - mean * sample.requests for sample in samples])
    return Estimate(mean=mean, standard_error=None if error is None else error * len(samples) / requests)


def difference(on: Estimate | None, holdout: Estimate | None) -> Difference | None:
    """Yield `on` against `holdout`; None where either is missing. The arms' errors are independent."""
    if on is None or holdout is None:
        return None
    errors = on.standard_error, holdout.standard_error
    units_error = ratio_error = None
    if errors[0] is not None and errors[1] is not None:
        units_error = math.hypot(errors[0], errors[1])
        if holdout.mean > 0:
            ratio_error = math.hypot(errors[0], errors[1] * on.mean / holdout.mean) / holdout.mean
    return Difference(
        units=Estimate(mean=on.mean - holdout.mean, standard_error=units_error),
        ratio=Estimate(mean=on.mean / holdout.mean, standard_error=ratio_error) if holdout.mean > 0 else None,
    )


def _error(residuals: Sequence[float]) -> float | None:
    """Yield the standard error of a mean whose values differ from it by these; None of fewer than two."""
    number = len(residuals)
    if number < 2:
        return None
    return math.sqrt(math.fsum(residual * residual for residual in residuals) / (number - 1) / number)
