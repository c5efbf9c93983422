"""Door: one worker process, its link, and the watch over its heartbeat.

A child is watched until it is gone: not ready in 10 s, 5 s of silence, or past the deadline of its drain, and it is
ended. Its end of the socketpair is its lifeline: when we die, it reads end of file.
"""

import contextlib
import logging
import math
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec
import trio

from tokenpakd.ipc.framing import RemoteProtocolError
from tokenpakd.ipc.link import Link
from tokenpakd.ipc.worker_api import Applied, Drain, Drained, FromWorker, Heartbeat, Ready, ToWorker, WorkerView

READY_S = 10.0
SILENCE_S = 5.0
ABORT_TO_KILL_S = 1.0
KILL_AFTER_DRAIN_S = 2.0
WATCH_EVERY_S = 0.25
LAST_WORDS_S = 0.5
# A gap this long between two looks at the clock means that we ourselves were stopped, not the child.
OWN_GAP_S = 1.5
OUTBOX_MESSAGES = 64

Kind = Literal["data-plane", "vault"]
State = Literal["starting", "ready", "safe_mode", "draining", "dead"]
log = logging.getLogger(__name__)

# What belongs to us alone: a child that answered the service manager, or took our sockets for its own, would lie.
_OURS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker is started; `pass_fds` are inherited under the same numbers, everything else is closed."""

    argv: tuple[str, ...]
    pass_fds: tuple[int, ...] = ()


CommandFactory = Callable[[Kind, int], Command]
"""From the kind of a worker and the fd of its link to the command that starts it."""


def worker_commands(http_fds: Sequence[int], websocket_fds: Sequence[int]) -> CommandFactory:
    """Yield the commands of the real workers: our own interpreter, never the code of the current folder."""

    def command(kind: Kind, link_fd: int) -> Command:
        argv = [sys.executable, "-P", "-m", "tokenpakd", "worker", kind, "--link-fd", str(link_fd)]
        if kind == "vault":
            return Command(argv=tuple(argv), pass_fds=(link_fd,))
        argv += ["--http-fds", ",".join(map(str, http_fds)), "--ws-fds", ",".join(map(str, websocket_fds))]
        return Command(argv=tuple(argv), pass_fds=(link_fd, *http_fds, *websocket_fds))

    return command


class Child:
    """A running worker. `generation` is the newest one it acknowledged; `heartbeat` the last it sent."""

    def __init__(
        self, name: str, kind: Kind, process: trio.Process, link: Link[FromWorker], *, safe_mode: bool
    ) -> None:
        self.name = name
        self.kind = kind
        self.process = process
        self.state: State = "starting"
        self.safe_mode = safe_mode
        self.generation = -1
        self.sent_generation = -1
        self.heartbeat = Heartbeat()
        self.gone = trio.Event()
        self.started_at = self.beat_at = self.watched_at = trio.current_time()
        self.announced: ToWorker | None = None
        self._link = link
        self._news = trio.Event()
        self._heard_all = trio.Event()
        self._kill_at = math.inf
        # A child that does not read 64 messages is hung, and the watch ends it.
        self._outbox, self._to_write = trio.open_memory_channel[ToWorker](OUTBOX_MESSAGES)

    @property
    def may_serve(self) -> bool:
        """Say whether it takes new requests."""
        return self.state in ("ready", "safe_mode")

    def view(self, restarts: int) -> WorkerView:
        """Yield what `/health` and `status` show."""
        rss_mb = float(round(self.heartbeat.rss_bytes / 1e6))
        return WorkerView(name=self.name, pid=self.process.pid, state=self.state, restarts=restarts, rss_mb=rss_mb)

    def send_nowait(self, message: ToWorker) -> None:
        """Queue a message; messages arrive in order, those to a dead or hung child are dropped."""
        with contextlib.suppress(trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
            self._outbox.send_nowait(message)

    def drain(self, deadline_s: float, *, close_idle: bool = False) -> None:
        """Ask it to finish and leave; it is killed 2 s after the deadline. A later call may only shorten that.

        `close_idle`: nobody takes over, so clients between two requests need not be waited for.
        """
        self.state = "draining" if self.state != "dead" else "dead"
        self._kill_at = min(self._kill_at, trio.current_time() + deadline_s + KILL_AFTER_DRAIN_S)
        self.send_nowait(Drain(deadline_s=deadline_s, close_idle=close_idle))

    def kill(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)

    async def wait_generation(self, generation: int) -> bool:
        """Wait until it serves with this generation or a newer one; False when it is gone before that."""
        while self.generation < generation:
            if self.gone.is_set():
                return False
            await self._news.wait()
        return self.may_serve

    async def tend(self, on_news: Callable[[], None]) -> None:
        """Watch it until it is gone. `on_news` is called whenever its state or heartbeat changed."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read, on_news)
                nursery.start_soon(self._write)
                nursery.start_soon(self._watch)
                await self.process.wait()
                with trio.move_on_after(LAST_WORDS_S):
                    await self._heard_all.wait()  # its last heartbeat says what it could not put on record
                nursery.cancel_scope.cancel()
        finally:
            self.kill()
            with trio.move_on_after(2, shield=True):
                await self.process.wait()
                await self._link.aclose()
            self.state = "dead"
            self.gone.set()
            self._tell(on_news)

    def bury(self, *, is_expected: bool) -> int:
        """Log how it ended, and yield how many telemetry rows it took along."""
        left_as_asked = self.process.returncode == 0
        if not left_as_asked or not is_expected:
            log.log(
                logging.INFO if left_as_asked else logging.ERROR,
                "worker_gone",
                extra={"worker": self.name, "pid": self.process.pid, "code": self.process.returncode},
            )
        telemetry = self.heartbeat.telemetry
        lost = telemetry.rows_waiting + telemetry.rows_lost
        if lost:
            log.error("rows_lost", extra={"worker": self.name, "rows": lost, "state": telemetry.state})
        return lost

    async def _read(self, on_news: Callable[[], None]) -> None:
        try:
            while (message := await self._link.receive()) is not None:
                self._take(message)
                self._tell(on_news)
        except RemoteProtocolError as error:
            log.error("worker_garbled", extra={"worker": self.name, "reason": str(error)[:200]})
            self.kill()
        self._heard_all.set()
        if self.state != "draining":
            # Without its link it can neither be steered nor learn of our death.
            await trio.sleep(1)
            self.kill()

    def _take(self, message: FromWorker) -> None:
        self.beat_at = trio.current_time()
        match message:
            case Ready(generation=generation):
                self.generation = max(self.generation, generation)
                if self.state == "starting":
                    self.state = "safe_mode" if self.safe_mode else "ready"
            case Applied(generation=generation):
                self.generation = max(self.generation, generation)
            case Heartbeat():
                self.heartbeat = message
            case Drained(unfinished=unfinished):
                if unfinished:
                    log.warning("worker_cut_exchanges", extra={"worker": self.name, "unfinished": unfinished})

    def _tell(self, on_news: Callable[[], None]) -> None:
        self._news.set()
        self._news = trio.Event()
        on_news()

    async def _write(self) -> None:
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for message in self._to_write:
                await self._link.send(message)

    async def _watch(self) -> None:
        while True:
            await trio.sleep(WATCH_EVERY_S)
            now = trio.current_time()
            gap_s = now - self.watched_at
            self.watched_at = now
            if gap_s > OWN_GAP_S:
                self.started_at += gap_s
                self.beat_at += gap_s
                continue
            if now > self._kill_at:
                log.warning("worker_over_deadline", extra={"worker": self.name})
                self.kill()
            elif self.state == "starting" and now - self.started_at > READY_S:
                log.error("worker_not_ready", extra={"worker": self.name, "waited_s": READY_S})
                self.kill()
            elif self.may_serve and now - self.beat_at > SILENCE_S:
                log.error("worker_silent", extra={"worker": self.name, "silent_s": round(now - self.beat_at, 1)})
                self._signal(signal.SIGABRT)  # its faulthandler writes where it hangs
                await trio.sleep(ABORT_TO_KILL_S)
                self.kill()

    def _signal(self, number: signal.Signals) -> None:
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)


async def spawn(name: str, kind: Kind, commands: CommandFactory, *, safe_mode: bool) -> Child:
    """Start a worker and yield it, untended yet.

    Raises:
      OSError: no process, fd or memory to be had.
    """
    ours, theirs = socket.socketpair()
    try:
        command = commands(kind, theirs.fileno())
        # Its own session: Ctrl-C in a terminal reaches us alone, and we drain.
        process = await trio.lowlevel.open_process(
            list(command.argv),
            stdin=subprocess.DEVNULL,
            pass_fds=command.pass_fds,
            start_new_session=True,
            env=_environment(os.environ),
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    link: Link[FromWorker] = Link(trio.SocketStream(trio.socket.from_stdlib_socket(ours)), FromWorker)
    return Child(name, kind, process, link, safe_mode=safe_mode)


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in environ.items() if key not in _OURS}
