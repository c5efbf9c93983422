"""Turn everything but relay and record off for a while."""

import math
import time

from tokenpakd.control.access import Access
from tokenpakd.control.daemon import Daemon
from tokenpakd.control.dispatch import INVALID_PARAMS, Verb, VerbFailed
from tokenpakd.ipc.control_api import FOREVER_UNIX_MS, PauseParams, PauseResult

_MINUTES_MAX = 525_600


async def run(daemon: Daemon, params: PauseParams) -> PauseResult:
    if params.minutes is None:
        await daemon.pause(FOREVER_UNIX_MS)
        return PauseResult(paused=True)
    if not (math.isfinite(params.minutes) and 0 < params.minutes <= _MINUTES_MAX):
        message = f"minutes must be more than 0 and at most {_MINUTES_MAX}"
        raise VerbFailed(message, hint="Run `tokenpakctl pause 10`.", code=INVALID_PARAMS)
    until = round(time.time() * 1000 + params.minutes * 60_000)
    await daemon.pause(until)
    return PauseResult(paused=True, until_unix_ms=until)


VERB = Verb(name="pause", access=Access.WRITE, params=PauseParams, run=run)
