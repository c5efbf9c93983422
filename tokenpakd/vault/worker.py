"""The life of the vault worker. Nothing can be indexed yet, and it says so: an empty vault."""

import resource

import trio

from tokenpakd.ipc.framing import ProtocolError
from tokenpakd.ipc.link import Link
from tokenpakd.ipc.worker_api import Applied, Drain, Drained, Heartbeat, Ready, Snapshot, ToWorker, VaultView

HEARTBEAT_S = 0.5
PAGE_BYTES = resource.getpagesize()


async def run(link: Link[ToWorker]) -> None:
    """Answer the supervisor until it says drain, leaves, or talks nonsense."""
    first = await link.receive()
    if not isinstance(first, Snapshot):
        return
    try:
        async with trio.open_nursery() as nursery:
            await link.send(Ready(generation=first.generation))
            nursery.start_soon(_beat, link)
            while (message := await link.receive()) is not None:
                match message:
                    case Snapshot(generation=generation):
                        await link.send(Applied(generation=generation))
                    case Drain():
                        await link.send(Drained())
                        break
            nursery.cancel_scope.cancel()
    except* (trio.BrokenResourceError, ProtocolError):
        pass  # without a supervisor there is nothing to do


async def _beat(link: Link[ToWorker]) -> None:
    while True:
        await link.send(Heartbeat(rss_bytes=rss_bytes(), vault=VaultView()))
        await trio.sleep(HEARTBEAT_S)


def rss_bytes() -> int:
    """Yield how much memory this process holds now; the most it ever held where /proc is missing."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * PAGE_BYTES
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
