"""End a pause; without one, nothing happens."""

from tokenpakd.control.access import Access
from tokenpakd.control.daemon import Daemon
from tokenpakd.control.dispatch import Verb
from tokenpakd.ipc.control_api import NoParams, PauseResult


async def run(daemon: Daemon, params: NoParams) -> PauseResult:
    await daemon.pause(None)
    return PauseResult(paused=False)


VERB = Verb(name="resume", access=Access.WRITE, params=NoParams, run=run)
