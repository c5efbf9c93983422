"""The vault worker: link, heartbeat, drain. Its trade is in `tokenpakd.vault`."""

import faulthandler
import signal

import trio

from tokenpakd.ipc import link
from tokenpakd.ipc.worker_api import ToWorker
from tokenpakd.processes import lifeline
from tokenpakd.vault import worker

LIFELINE_DRAIN_S = 2.0
"""It holds nothing that takes time to finish."""


def main(link_fd: int) -> None:
    """Run the worker on an inherited link until it is told to leave or the supervisor is gone."""
    # SIGABRT from a supervisor that hears nothing: say where we hang, without any local variable.
    faulthandler.enable()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the link tells when to leave
    lifeline.guard(link_fd, drain_s=LIFELINE_DRAIN_S)
    trio.run(_run, link_fd)


async def _run(link_fd: int) -> None:
    await worker.run(link.from_fd(link_fd, ToWorker))
