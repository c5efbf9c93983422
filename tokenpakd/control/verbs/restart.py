"""Replace the workers; answers when the new ones serve."""

from tokenpakd.control.access import Access
from tokenpakd.control.daemon import Daemon
from tokenpakd.control.dispatch import Verb
from tokenpakd.control.worker_views import worker_results
from tokenpakd.ipc.control_api import NoParams, RestartResult


async def run(daemon: Daemon, params: NoParams) -> RestartResult:
    await daemon.restart_workers()
    return RestartResult(generation=daemon.generation, workers=worker_results(daemon))


VERB = Verb(name="restart", access=Access.WRITE, params=NoParams, run=run)
