import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tokenpakd.supervision.notify import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.bind(str(tmp_path / "notify"))
        found.settimeout(2)
        yield found


def test_each_turn_is_one_datagram(manager: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname()})
    notifier.ready("fine")
    notifier.reloading()
    notifier.stopping()
    notifier.alive()
    notifier.status("so so")
    said = [manager.recv(4096).decode() for _ in range(5)]
    assert said[0] == f"READY=1\nMAINPID={os.getpid()}\nSTATUS=fine"
    assert said[1].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert said[2:] == ["STOPPING=1\nSTATUS=Draining", "WATCHDOG=1", "STATUS=so so"]


def test_a_manager_that_does_not_read_holds_nothing_up(manager: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname()})
    for _ in range(2000):
        notifier.alive()
    assert manager.recv(64) == b"WATCHDOG=1"


def test_without_a_manager_nothing_is_said() -> None:
    Notifier({}).ready("fine")
    Notifier({"NOTIFY_SOCKET": "/nowhere/at/all"}).ready("fine")


@pytest.mark.parametrize(
    ("environ", "every_s"),
    [
        ({"WATCHDOG_USEC": "15000000"}, 7.5),
        ({"WATCHDOG_USEC": "15000000", "WATCHDOG_PID": str(os.getpid())}, 7.5),
        ({"WATCHDOG_USEC": "15000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_at_half_its_time(environ: dict[str, str], every_s: float | None) -> None:
    assert Notifier({"NOTIFY_SOCKET": "/x", **environ}).watchdog_every_s == every_s
    assert Notifier(environ).watchdog_every_s is None
