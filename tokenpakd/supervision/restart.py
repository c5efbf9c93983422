"""When a dead worker comes back, and as what. Pure: the clock and the dice come in as arguments.

A worker that served comes back at once: while it waits nobody is answered. For one that never got so far, deaths
inside the window make the wait longer: 0, 0.1, 0.5, 2, 5 s. After more than five deaths of either kind the worker comes
back in safe mode (pure relay), which is tried out again as normal every 60 s. There is no last attempt: a whole tool
chain hangs on the relay, so the daemon never gives up.
"""

import msgspec

WINDOW_S = 30.0
DEATHS_BEFORE_SAFE_MODE = 5
RETRY_NORMAL_S = 60.0
WAITS_S = (0.0, 0.1, 0.5, 2.0, 5.0)
JITTER = 0.2


class Deaths(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of one worker. Times are seconds on the monotonic clock."""

    recent: tuple[float, ...] = ()
    safe_since: float | None = None
    """When safe mode began; None while the worker is normal."""
    probation_until: float | None = None
    """Until then one death is enough to go back to safe mode."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Start again after `wait_s`, in safe mode or not; `deaths` is what to remember."""

    wait_s: float
    safe_mode: bool
    deaths: Deaths


def after_death(deaths: Deaths, *, now: float, dice: float, has_served: bool = False) -> Decision:
    """Decide how the worker that just died comes back.

    `dice` is uniform in 0..1 and spreads the wait by ±20 %; `has_served`: it had become ready.
    """
    recent = (*(at for at in deaths.recent if now - at < WINDOW_S), now)
    wait_s = _wait_s(len(recent), dice)
    if deaths.safe_since is None and has_served:
        wait_s = 0.0
    if deaths.safe_since is not None:
        return Decision(wait_s=wait_s, safe_mode=True, deaths=_remember(deaths, recent, safe_since=deaths.safe_since))
    on_probation = deaths.probation_until is not None and now < deaths.probation_until
    if on_probation or len(recent) > DEATHS_BEFORE_SAFE_MODE:
        # The waits start over: what killed the normal worker is switched off in the safe one.
        return Decision(wait_s=0.0, safe_mode=True, deaths=Deaths(safe_since=now))
    return Decision(wait_s=wait_s, safe_mode=False, deaths=_remember(deaths, recent, safe_since=None))


def may_retry_normal(deaths: Deaths, *, now: float) -> bool:
    """Say whether safe mode has lasted long enough to try the normal worker again."""
    return deaths.safe_since is not None and now - deaths.safe_since >= RETRY_NORMAL_S


def retried_normal(deaths: Deaths, *, now: float, succeeded: bool) -> Deaths:
    """Remember a try as normal: on probation for one window where it came up, another 60 s of safe mode where not."""
    if succeeded:
        return Deaths(probation_until=now + WINDOW_S)
    return Deaths(recent=deaths.recent, safe_since=now)


def _wait_s(deaths_in_window: int, dice: float) -> float:
    return WAITS_S[min(deaths_in_window, len(WAITS_S)) - 1] * (1 + JITTER * (2 * dice - 1))


def _remember(deaths: Deaths, recent: tuple[float, ...], *, safe_since: float | None) -> Deaths:
    # Six are enough to decide and keep the tuple bounded in a fast crash loop.
    return Deaths(
        recent=recent[-(DEATHS_BEFORE_SAFE_MODE + 1) :], safe_since=safe_since, probation_until=deaths.probation_until
    )
