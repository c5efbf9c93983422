"""Real processes under a service manager that the test plays: handed sockets, notifications, watchdog."""

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.processes.supervised import FAKE_DAEMON, Supervised, eventually, is_alive
from tokenpakd.processes import supervisor

# Puts the sockets where the service manager would, 3 and up, and says that they are for this very process.
HANDS_OVER = """
import fcntl, os, sys
first, names, *command = sys.argv[1:]
fds = [int(fd) for fd in first.split(",")]
spare = [fcntl.fcntl(fd, fcntl.F_DUPFD, 50) for fd in fds]  # none of them is its own target
for position, fd in enumerate(spare):
    os.dup2(fd, 3 + position, inheritable=True)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": names}
os.execv(command[0], command)
"""


class Manager:
    """The service manager's end of the notification socket."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.setblocking(False)
        self.said: list[dict[str, str]] = []

    def heard(self, key: str) -> list[str]:
        """Yield every value that this key was given so far."""
        while True:
            try:
                text = self.socket.recv(4096).decode()
            except BlockingIOError:
                return [message[key] for message in self.said if key in message]
            self.said.append(dict(line.split("=", 1) for line in text.splitlines()))


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Manager, str]]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@tokenpak-test-{os.getpid()}"
    if request.param == "abstract" and not sys.platform.startswith("linux"):
        pytest.skip("abstract sockets are Linux's")
    found = Manager(address)
    yield found, address
    found.socket.close()


def test_the_service_manager_hears_of_every_turn(tmp_path: Path, manager: tuple[Manager, str]) -> None:
    heard, address = manager
    env = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "400000"}
    with Supervised(tmp_path / "home", env=env) as daemon:
        eventually(lambda: heard.heard("READY"))
        assert heard.heard("MAINPID") == [str(daemon.process.pid)]
        assert "Serving http://127.0.0.1:" in heard.heard("STATUS")[0]
        eventually(lambda: len(heard.heard("WATCHDOG")) >= 3)
        daemon.ready().signal(signal.SIGHUP)
        eventually(lambda: len(heard.heard("READY")) == 2)
        assert heard.heard("RELOADING") == ["1"]
        assert heard.heard("MONOTONIC_USEC")[0].isdigit()
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
        assert heard.heard("STOPPING") == ["1"]


@pytest.fixture
def closing_later() -> Iterator[Callable[[socket.socket], socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield stack.enter_context


def test_handed_sockets_are_served_and_outlive_the_daemon(
    tmp_path: Path, closing_later: Callable[[socket.socket], socket.socket]
) -> None:
    held = {name: closing_later(socket.create_server(("127.0.0.1", 0))) for name in ("http", "ws")}
    fds = tuple(one.fileno() for one in held.values())
    port = held["http"].getsockname()[1]
    command = (sys.executable, "-c", HANDS_OVER, ",".join(map(str, fds)), "http:ws", sys.executable, str(FAKE_DAEMON))
    with Supervised(tmp_path / "home", command=command, pass_fds=fds) as daemon:
        daemon.ready()
        assert daemon.port == port
        assert daemon.get()["port"] == port
        assert not {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} & set(daemon.get()["environ"])
        listening = daemon.ask("status")["listening"]
        assert listening["websocket"] == [f"ws://127.0.0.1:{held['ws'].getsockname()[1]}"]
        pids = daemon.children()
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
        assert not any(is_alive(pid) for pid in pids)
    with socket.create_connection(("127.0.0.1", port), timeout=2):
        pass  # the manager's socket still queues clients for the next daemon


def test_a_handed_socket_of_no_known_purpose_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        fd = held.fileno()
        command = (sys.executable, "-c", HANDS_OVER, str(fd), "other", sys.executable, str(FAKE_DAEMON))
        with Supervised(tmp_path / "home", command=command, pass_fds=(fd,)) as daemon:
            assert daemon.wait() == supervisor.EXIT_CONFIG
            assert "FileDescriptorName" in daemon.log
