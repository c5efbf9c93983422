import math
import random
import statistics

import pytest

from tokenpakd.exchange.savings import Estimate
from tokenpakd.storage.arms import Sample, difference, per_conversation, per_request


def test_nothing_has_no_mean_and_one_conversation_no_error() -> None:
    assert per_conversation(()) is None
    assert per_request(()) is None
    one = (Sample(4, 100.0),)
    assert per_conversation(one) == Estimate(mean=100.0)
    assert per_request(one) == Estimate(mean=25.0)


def test_the_error_is_that_of_a_mean_over_conversations() -> None:
    units = [10.0, 14.0, 33.0, 7.0]
    found = per_conversation([Sample(1, value) for value in units])
    assert found is not None
    assert found.mean == statistics.mean(units)
    assert found.standard_error == pytest.approx(statistics.stdev(units) / 2)
    assert per_request([Sample(1, value) for value in units]) == found, "of one request each they are the same"


def test_equal_requests_in_unequal_conversations_leave_no_error_per_request() -> None:
    samples = [Sample(requests, 5.0 * requests) for requests in (1, 3, 9)]
    found = per_request(samples)
    assert found == Estimate(mean=5.0, standard_error=0.0)
    whole = per_conversation(samples)
    assert whole is not None
    assert whole.standard_error is not None
    assert whole.standard_error > 10


def test_the_error_per_request_foretells_how_far_repeated_trials_scatter() -> None:
    draw = random.Random(7)

    def trial() -> list[Sample]:
        samples = []
        for _ in range(60):
            requests, price = draw.randint(1, 30), draw.gauss(100, 20)
            samples.append(Sample(requests, sum(draw.gauss(price, 10) for _ in range(requests))))
        return samples

    found = [estimate for estimate in (per_request(trial()) for _ in range(300)) if estimate is not None]
    scatter = statistics.stdev(estimate.mean for estimate in found)
    told = statistics.mean(estimate.standard_error or 0.0 for estimate in found)
    assert 0.85 < told / scatter < 1.15


def test_a_difference_is_on_minus_holdout_and_errors_add_as_squares() -> None:
    found = difference(Estimate(mean=90.0, standard_error=3.0), Estimate(mean=100.0, standard_error=4.0))
    assert found is not None
    assert found.units == Estimate(mean=-10.0, standard_error=5.0)
    assert found.ratio is not None
    assert found.ratio.mean == 0.9
    assert found.ratio.standard_error == pytest.approx(0.9 * math.hypot(3 / 90, 4 / 100))


def test_what_is_missing_stays_missing() -> None:
    sure, unsure = Estimate(mean=9.0, standard_error=1.0), Estimate(mean=10.0)
    assert difference(None, sure) is None
    assert difference(sure, None) is None
    found = difference(sure, unsure)
    assert found is not None
    assert found.units == Estimate(mean=-1.0)
    assert found.ratio == Estimate(mean=0.9)
    free = difference(sure, Estimate(mean=0.0, standard_error=0.0))
    assert free is not None
    assert free.ratio is None
