"""One worker under watch: in memory against a virtual clock; started and ended for real where the system is asked."""

import gc
import json
import os
import signal
import sys
from pathlib import Path

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from tests.tokenpakd.supervision.worker_doubles import SNAPSHOT, FakeWorker, Habits, Workshop, snapshot_of
from tokenpakd.ipc.framing import encode
from tokenpakd.ipc.worker_api import Applied, Heartbeat
from tokenpakd.supervision.child import OUTBOX_MESSAGES, Child, Command, Kind, spawn, worker_commands

KILL, ABORT = signal.SIGKILL, signal.SIGABRT


def raised(nursery: trio.Nursery, habits: Habits, *, safe_mode: bool = False) -> tuple[Child, FakeWorker]:
    """Yield a worker with the habits given, tended and holding its first snapshot."""
    workshop = Workshop(nursery)
    workshop.habits = lambda name: habits
    ours, theirs = trio.testing.memory_stream_pair()
    child = workshop.child("w", "data-plane", ours, theirs, safe_mode=safe_mode)
    child.send_nowait(SNAPSHOT)
    nursery.start_soon(child.tend, lambda: None)
    return child, workshop.workers[0]


@pytest.mark.parametrize(("safe_mode", "state"), [(False, "ready"), (True, "safe_mode")])
async def test_it_serves_once_it_said_so(
    autojump_clock: MockClock, nursery: trio.Nursery, safe_mode: bool, state: str
) -> None:
    child, worker = raised(nursery, Habits(ready_after_s=9), safe_mode=safe_mode)
    await trio.sleep(8)
    assert (child.state, child.may_serve) == ("starting", False)
    assert await child.wait_generation(1)
    await trio.sleep(60)
    assert (child.state, child.may_serve) == (state, True)
    view = child.view(restarts=3)
    assert (view.name, view.pid, view.state, view.restarts, view.rss_mb) == ("w", 1000, state, 3, 30.0)
    assert worker.process.signals == []


async def test_one_that_is_not_ready_in_ten_seconds_is_killed(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    child, worker = raised(nursery, Habits(ready_after_s=11))
    assert not await child.wait_generation(1)
    [(number, at)] = worker.process.signals
    assert number == KILL
    assert 10 <= at <= 10.5
    assert child.state == "dead"


async def test_one_that_is_silent_for_five_seconds_is_aborted_then_killed(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    child, worker = raised(nursery, Habits(beats_for_s=20.1, ignores=(ABORT,)))
    await child.gone.wait()
    [(first, aborted_at), (second, killed_at)] = worker.process.signals
    assert (first, second) == (ABORT, KILL)
    assert 25 <= aborted_at <= 25.5
    assert killed_at - aborted_at == pytest.approx(1)


async def test_one_that_dies_of_the_abort_gets_no_second_signal(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    child, worker = raised(nursery, Habits(beats_for_s=1))
    await child.gone.wait()
    assert [number for number, _ in worker.process.signals] == [ABORT]


@pytest.mark.parametrize("habits", [Habits(beats_for_s=0.1), Habits(ready_after_s=600)])
async def test_our_own_stop_is_not_held_against_it(
    autojump_clock: MockClock, nursery: trio.Nursery, habits: Habits
) -> None:
    child, worker = raised(nursery, habits)
    await trio.sleep(3)
    autojump_clock.jump(60)  # a laptop that slept
    await trio.sleep(1)
    assert child.state in ("starting", "ready")
    assert worker.process.signals == []


async def test_silence_counts_on_after_our_own_stop(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    child, worker = raised(nursery, Habits(beats_for_s=0.1))
    await trio.sleep(3)
    autojump_clock.jump(60)
    await child.gone.wait()
    assert 65 <= worker.died_at <= 66


async def test_one_that_leaves_when_asked_gets_no_signal(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    child, worker = raised(nursery, Habits(leaves_after_s=4))
    await child.wait_generation(1)
    child.drain(30, close_idle=True)
    assert (child.state, child.may_serve) == ("draining", False)
    await child.gone.wait()
    assert [(drain.deadline_s, drain.close_idle) for drain in worker.drains] == [(30, True)]
    assert (worker.process.signals, worker.process.returncode, child.state) == ([], 0, "dead")


@pytest.mark.parametrize(("first_s", "second_s", "killed_s"), [(30, 3, 5), (3, 30, 5), (0, 0, 2)])
async def test_one_that_stays_is_killed_two_seconds_after_the_shorter_deadline(
    autojump_clock: MockClock, nursery: trio.Nursery, first_s: float, second_s: float, killed_s: float
) -> None:
    child, worker = raised(nursery, Habits(leaves_after_s=600))
    await child.wait_generation(1)
    begun_at = trio.current_time()
    child.drain(first_s)
    child.drain(second_s)
    await child.gone.wait()
    [(number, at)] = worker.process.signals
    assert number == KILL
    assert killed_s <= at - begun_at <= killed_s + 0.5


async def test_a_draining_one_may_be_silent_until_its_deadline(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    child, worker = raised(nursery, Habits(beats_for_s=1, leaves_after_s=25))
    await child.wait_generation(1)
    child.drain(30)
    await child.gone.wait()
    assert worker.process.signals == []


async def test_one_whose_link_is_gone_is_killed_after_a_second(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    child, worker = raised(nursery, Habits())
    await child.wait_generation(1)
    begun_at = trio.current_time()
    await worker.hang_up()
    await child.gone.wait()
    assert [number for number, _ in worker.process.signals] == [KILL]
    assert worker.died_at - begun_at == pytest.approx(1)


async def test_one_that_hangs_up_while_it_drains_has_until_its_deadline(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    child, worker = raised(nursery, Habits(leaves_after_s=600))
    await child.wait_generation(1)
    child.drain(10)
    await trio.testing.wait_all_tasks_blocked()
    await worker.hang_up()
    await trio.sleep(9)
    assert worker.is_alive
    await child.gone.wait()


@pytest.mark.parametrize("line", [b"hello\n", b"{}\n", b'{"type":"snapshot"}\n', b"x" * ((1 << 20) + 1)])
async def test_one_that_talks_nonsense_is_killed_at_once(
    autojump_clock: MockClock, nursery: trio.Nursery, line: bytes
) -> None:
    child, worker = raised(nursery, Habits())
    await child.wait_generation(1)
    begun_at = trio.current_time()
    await worker.say(line)
    await child.gone.wait()
    assert worker.process.signals == [(KILL, begun_at)]


async def test_what_waits_for_a_generation_wakes_at_it_or_at_the_end(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    child, worker = raised(nursery, Habits(applies=False))
    assert await child.wait_generation(1)
    answers: list[tuple[int, bool]] = []

    async def wait(generation: int) -> None:
        answers.append((generation, await child.wait_generation(generation)))

    for generation in (2, 3, 4):
        nursery.start_soon(wait, generation)
    await worker.say(encode(Applied(generation=3)))
    await trio.testing.wait_all_tasks_blocked()
    assert sorted(answers) == [(2, True), (3, True)]
    worker.die()
    await child.gone.wait()
    await trio.testing.wait_all_tasks_blocked()
    assert answers[2:] == [(4, False)]
    assert not await child.wait_generation(1)  # it had it, and serves nobody now


async def test_an_older_word_does_not_turn_the_generation_back(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    child, worker = raised(nursery, Habits())
    child.send_nowait(snapshot_of(5))
    await child.wait_generation(5)
    await worker.say(encode(Applied(generation=2)))
    await trio.testing.wait_all_tasks_blocked()
    assert child.generation == 5


async def test_its_last_heartbeat_is_kept_and_news_are_told(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    workshop, told = Workshop(nursery), list[str]()
    child = await workshop.spawn("w", "data-plane", None, safe_mode=False)
    nursery.start_soon(child.tend, lambda: told.append(child.state))
    await workshop.workers[0].say(encode(Heartbeat(in_flight=4)))
    await trio.testing.wait_all_tasks_blocked()
    assert child.heartbeat.in_flight == 4
    workshop.workers[0].die()
    await child.gone.wait()
    assert told == ["starting", "dead"]


async def test_messages_to_one_that_does_not_read_are_dropped_not_waited_for(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    workshop = Workshop(nursery)
    workshop.habits = lambda name: Habits(ready_after_s=600)
    ours, theirs = trio.testing.lockstep_stream_pair()
    child = workshop.child("w", "data-plane", ours, theirs)
    nursery.start_soon(child.tend, lambda: None)
    for _ in range(10 * OUTBOX_MESSAGES):
        child.send_nowait(SNAPSHOT)
    await child.gone.wait()
    child.send_nowait(SNAPSHOT)
    nursery.cancel_scope.cancel()


async def test_who_stops_watching_it_ends_it(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    workshop = Workshop(nursery)
    child = await workshop.spawn("w", "vault", None, safe_mode=False)
    with trio.move_on_after(1):
        await child.tend(lambda: None)
    assert [number for number, _ in workshop.workers[0].process.signals] == [KILL]
    assert (child.state, child.gone.is_set()) == ("dead", True)


def test_the_commands_distrust_the_current_folder_and_pass_only_what_is_needed() -> None:
    commands = worker_commands((5, 6), (7,))
    assert commands("vault", 4) == Command(
        argv=(sys.executable, "-P", "-m", "tokenpakd", "worker", "vault", "--link-fd", "4"), pass_fds=(4,)
    )
    plane = commands("data-plane", 4)
    assert plane.argv[4:] == ("worker", "data-plane", "--link-fd", "4", "--http-fds", "5,6", "--ws-fds", "7")
    assert plane.pass_fds == (4, 5, 6, 7)


REPORT = """
import json, os, socket, sys
link = socket.socket(fileno=int(sys.argv[1]))
OURS = ("NOTIFY", "WATCHDOG", "LISTEN", "TP_")
environ = {name: value for name, value in os.environ.items() if name.startswith(OURS)}
report = {"environ": environ, "leads_session": os.getsid(0) == os.getpid(), "stdin": sys.stdin.read()}
with open(sys.argv[2], "w") as file:
    json.dump(report, file)
link.sendall(b'{"type":"ready","generation":1}\\n')
link.recv(1)
"""


async def test_a_real_one_leads_its_session_and_inherits_nothing_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "WATCHDOG_PID",
        "LISTEN_PID",
        "LISTEN_FDS",
        "LISTEN_FDNAMES",
        "TP_A",
    ):
        monkeypatch.setenv(name, "1")
    report = tmp_path / "report"

    def command(kind: Kind, link_fd: int) -> Command:
        return Command(argv=(sys.executable, "-c", REPORT, str(link_fd), str(report)), pass_fds=(link_fd,))

    child = await spawn("w", "data-plane", command, safe_mode=False)
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child.tend, lambda: None)
            assert await child.wait_generation(1)
            child.kill()
            await child.gone.wait()
    assert child.process.returncode == -KILL
    found = json.loads(report.read_text())
    assert found == {"environ": {"TP_A": "1"}, "leads_session": True, "stdin": ""}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files through /proc")
async def test_a_start_that_fails_and_an_end_leave_nothing_open(tmp_path: Path) -> None:
    def command(kind: Kind, link_fd: int) -> Command:
        argv = ("/nowhere/at/all",) if kind == "vault" else (sys.executable, "-c", "pass")
        return Command(argv=argv, pass_fds=(link_fd,))

    await trio.to_thread.run_sync(lambda: None)  # what trio opens once is open
    before = sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        await spawn("w", "vault", command, safe_mode=False)
    child = await spawn("w", "data-plane", command, safe_mode=False)
    with trio.fail_after(20):
        await child.tend(lambda: None)
    del child
    gc.collect()  # under -W error a leaked socket or child fails here
    assert sorted(os.listdir("/proc/self/fd")) == before
