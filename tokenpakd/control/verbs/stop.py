"""Begin the drain. The daemon is gone when its process is; tokenpakctl waits for that."""

from tokenpakd.control.access import Access
from tokenpakd.control.daemon import Daemon
from tokenpakd.control.dispatch import Verb
from tokenpakd.ipc.control_api import NoParams, StopResult


async def run(daemon: Daemon, params: NoParams) -> StopResult:
    await daemon.stop()
    return StopResult(pid=daemon.pid)


VERB = Verb(name="stop", access=Access.WRITE, params=NoParams, run=run)
