"""The usage vector adds up, and nothing reported is not zero."""

import pytest

from tokenpakd.exchange.usage import Usage


@pytest.mark.parametrize(
    ("usage", "total"),
    [
        (Usage(), None),
        (Usage(output=5), None),
        (Usage(input_uncached=0), 0),
        (Usage(cache_read=7), 7),
        (Usage(input_uncached=1, cache_read=2, cache_write_5m=4, cache_write_1h=8, output=16, audio_input=32), 15),
    ],
)
def test_input_is_the_sum_of_what_was_reported(usage: Usage, total: int | None) -> None:
    assert usage.input_total == total
