import pytest

from tokenpakd.supervision.restart import (
    RETRY_NORMAL_S,
    WINDOW_S,
    Deaths,
    after_death,
    may_retry_normal,
    retried_normal,
)


def die(times: list[float], deaths: Deaths | None = None) -> list[tuple[float, bool]]:
    """Yield what is decided at each death."""
    deaths, decided = deaths or Deaths(), []
    for now in times:
        decision = after_death(deaths, now=now, dice=0.5)
        deaths = decision.deaths
        decided.append((decision.wait_s, decision.safe_mode))
    return decided


@pytest.mark.parametrize(
    ("times", "expect"),
    [
        ([0], [(0.0, False)]),
        ([0, 1, 2, 3, 4], [(0.0, False), (0.1, False), (0.5, False), (2.0, False), (5.0, False)]),
        ([0, 1, 2, 3, 4, 5], [(0.0, False), (0.1, False), (0.5, False), (2.0, False), (5.0, False), (0.0, True)]),
        # In safe mode the waits start over and the worker is never given up.
        ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], None),
        # The first is forgotten when the window has passed.
        (
            [0, 1, 2, 3, 4, WINDOW_S + 0.5],
            [(0.0, False), (0.1, False), (0.5, False), (2.0, False), (5.0, False), (5.0, False)],
        ),
        ([0, WINDOW_S, 2 * WINDOW_S], [(0.0, False), (0.0, False), (0.0, False)]),
    ],
)
def test_deaths_in_the_window_lengthen_the_wait_and_end_in_safe_mode(
    times: list[float], expect: list[tuple[float, bool]] | None
) -> None:
    decided = die(times)
    if expect is None:
        assert decided[5:] == [
            (0.0, True),
            (0.0, True),
            (0.1, True),
            (0.5, True),
            (2.0, True),
            (5.0, True),
            (5.0, True),
            (5.0, True),
        ]
    else:
        assert decided == expect


def test_a_worker_that_served_comes_back_at_once_until_safe_mode() -> None:
    deaths, decided = Deaths(), []
    for now in range(8):
        decision = after_death(deaths, now=now, dice=0.5, has_served=True)
        deaths = decision.deaths
        decided.append((decision.wait_s, decision.safe_mode))
    assert decided == [(0.0, False)] * 5 + [(0.0, True), (0.0, True), (0.1, True)]


@pytest.mark.parametrize(("dice", "wait_s"), [(0.0, 4.0), (0.5, 5.0), (1.0, 6.0)])
def test_the_dice_spread_the_wait_by_a_fifth(dice: float, wait_s: float) -> None:
    recent = (0.0, 0.1, 0.2, 0.3)
    assert after_death(Deaths(recent=recent), now=1.0, dice=dice).wait_s == pytest.approx(wait_s)


def test_the_memory_of_a_fast_crash_loop_is_bounded() -> None:
    deaths = Deaths()
    for step in range(1000):
        deaths = after_death(deaths, now=step / 1000, dice=0.5).deaths
    assert len(deaths.recent) <= 6


def test_normal_is_tried_again_after_a_minute_of_safe_mode_and_no_sooner() -> None:
    safe = Deaths(safe_since=100.0)
    assert not may_retry_normal(safe, now=100.0 + RETRY_NORMAL_S - 0.1)
    assert may_retry_normal(safe, now=100.0 + RETRY_NORMAL_S)
    assert not may_retry_normal(Deaths(), now=1e9)


def test_one_death_on_probation_leads_back_to_safe_mode() -> None:
    tried = retried_normal(Deaths(safe_since=0.0), now=60.0, succeeded=True)
    assert after_death(tried, now=61.0, dice=0.5).safe_mode
    assert not after_death(tried, now=60.0 + WINDOW_S, dice=0.5).safe_mode


def test_a_failed_try_waits_another_minute() -> None:
    tried = retried_normal(Deaths(safe_since=0.0), now=60.0, succeeded=False)
    assert tried.safe_since == 60.0
    assert not may_retry_normal(tried, now=61.0)
