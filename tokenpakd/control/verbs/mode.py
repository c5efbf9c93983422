"""Show or change the daemon's mode. A conversation keeps the mode it began with, unless `now`."""

from tokenpakd.control.access import Access
from tokenpakd.control.daemon import Daemon
from tokenpakd.control.dispatch import INVALID_PARAMS, Verb, VerbFailed
from tokenpakd.ipc.control_api import ModeParams, ModeResult


async def run(daemon: Daemon, params: ModeParams) -> ModeResult:
    if params.mode is None:
        if params.now:
            raise VerbFailed("now needs a mode", hint="Run `tokenpakctl mode hybrid --now`.", code=INVALID_PARAMS)
        return ModeResult(mode=daemon.mode, source=daemon.mode_source)
    await daemon.set_mode(params.mode, now=params.now)
    return ModeResult(mode=daemon.mode, source=daemon.mode_source, changed=True, now=params.now)


VERB = Verb(name="mode", access=Access.WRITE, params=ModeParams, run=run)
