"""Read the configuration again; a bad file changes nothing and comes back as an error."""

from tokenpakd.control.access import Access
from tokenpakd.control.daemon import Daemon
from tokenpakd.control.dispatch import Verb
from tokenpakd.ipc.control_api import NoParams, ReloadVerbResult


async def run(daemon: Daemon, params: NoParams) -> ReloadVerbResult:
    done = await daemon.reload()
    return ReloadVerbResult(
        generation=done.generation,
        applied=done.applied,
        restarted=done.restarted,
        needs_daemon_restart=done.needs_daemon_restart,
    )


VERB = Verb(name="reload", access=Access.WRITE, params=NoParams, run=run)
