import msgspec
import pytest
import trio
from trio.testing import MockClock, memory_stream_pair

from tokenpakd.config.schema import Config
from tokenpakd.ipc.link import Link
from tokenpakd.ipc.worker_api import (
    Applied,
    Drain,
    Drained,
    FromWorker,
    Heartbeat,
    Ready,
    Snapshot,
    ToWorker,
    VaultView,
)
from tokenpakd.tip.modes import Mode
from tokenpakd.vault import worker

SNAPSHOT = Snapshot(
    generation=3, config=Config(), mode=Mode.HYBRID, boot_id="b", worker="vault", database="/x", salt_hex="00"
)


async def no_heartbeat(link: Link[FromWorker]) -> FromWorker | None:
    while isinstance(message := await link.receive(), Heartbeat):
        pass
    return message


@pytest.fixture
def links() -> tuple[Link[FromWorker], Link[ToWorker]]:
    ours, theirs = memory_stream_pair()
    return Link(ours, FromWorker), Link(theirs, ToWorker)


async def test_it_reports_an_empty_vault_and_follows_to_the_drain(
    links: tuple[Link[FromWorker], Link[ToWorker]], autojump_clock: MockClock
) -> None:
    supervisor, theirs = links
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.run, theirs)
        await supervisor.send(SNAPSHOT)
        assert await supervisor.receive() == Ready(generation=3)
        beat = await supervisor.receive()
        assert isinstance(beat, Heartbeat)
        assert beat.vault == VaultView(blocks=0, indexed_at=None)
        assert beat.rss_bytes > 1_000_000
        started = trio.current_time()
        assert isinstance(await supervisor.receive(), Heartbeat)
        assert trio.current_time() - started == pytest.approx(worker.HEARTBEAT_S)
        await supervisor.send(msgspec.structs.replace(SNAPSHOT, generation=4))
        assert await no_heartbeat(supervisor) == Applied(generation=4)
        await supervisor.send(Drain(deadline_s=30))
        assert await no_heartbeat(supervisor) == Drained()


@pytest.mark.parametrize("at_once", [True, False])
async def test_it_leaves_when_the_supervisor_is_gone(
    links: tuple[Link[FromWorker], Link[ToWorker]], at_once: bool
) -> None:
    supervisor, theirs = links
    if not at_once:
        await supervisor.send(SNAPSHOT)
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.run, theirs)
            if not at_once:
                assert await supervisor.receive() == Ready(generation=3)
            await supervisor.aclose()
