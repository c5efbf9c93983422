"""Nothing here waits for long; what hangs is a failure, also where the clock stands still."""

import signal
from collections.abc import Iterator

import pytest

PATIENCE_S = 30


@pytest.fixture(autouse=True)
def no_hang() -> Iterator[None]:
    """End a test that hangs."""

    def end(number: int, frame: object) -> None:
        raise AssertionError(f"still running after {PATIENCE_S} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
