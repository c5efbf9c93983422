"""Real processes: workers die, hang and loop; the supervisor dies; something always serves or nothing is left."""

import os
import re
import signal
import time
from pathlib import Path

import pytest

from tests.processes.supervised import Supervised, eventually, is_alive
from tokenpakd.supervision.restart import DEATHS_BEFORE_SAFE_MODE

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")


def test_a_killed_worker_is_replaced_and_its_successor_counts_the_restart(tmp_path: Path) -> None:
    with Supervised(tmp_path / "home").ready() as daemon:
        first = daemon.get()
        os.kill(first["pid"], signal.SIGKILL)
        killed_at = time.monotonic()
        second = daemon.get()  # waits in the backlog until the next worker takes it
        assert time.monotonic() - killed_at < 5
        assert second["pid"] != first["pid"]
        assert (first["worker"], second["worker"]) == ("data-plane-1", "data-plane-1.2")
        planes = [view for view in daemon.ask("status")["workers"] if view["name"].startswith("data-plane")]
        assert [(view["restarts"], view["state"]) for view in planes] == [(1, "ready")]


def test_a_stopped_worker_is_replaced_after_five_seconds_of_silence(tmp_path: Path) -> None:
    with Supervised(tmp_path / "home").ready() as daemon:
        pid = daemon.get()["pid"]
        os.kill(pid, signal.SIGSTOP)
        stopped_at = time.monotonic()
        second = daemon.get(deadline_s=20)
        took_s = time.monotonic() - stopped_at
        assert second["pid"] != pid
        assert 4.5 <= took_s <= 9, took_s
        assert not is_alive(pid)


def test_a_worker_stopped_for_less_than_that_is_left_alone(tmp_path: Path) -> None:
    with Supervised(tmp_path / "home").ready() as daemon:
        pid = daemon.get()["pid"]
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            daemon.get(deadline_s=2)  # the fault happened
        os.kill(pid, signal.SIGCONT)
        assert daemon.get()["pid"] == pid


def test_no_worker_outlives_a_killed_supervisor_and_the_socket_it_left_is_taken_over(tmp_path: Path) -> None:
    with Supervised(tmp_path / "home").ready() as daemon:
        pids = daemon.children()
        assert len(pids) == 2
        daemon.signal(signal.SIGKILL)
        daemon.wait()
        eventually(lambda: not any(is_alive(pid) for pid in pids), 5)
        assert (tmp_path / "home" / "run" / "control.sock").is_socket()
    with Supervised(tmp_path / "home").ready() as daemon:
        assert daemon.get()["generation"] == 1


def test_a_worker_that_always_dies_comes_back_in_safe_mode(tmp_path: Path) -> None:
    with Supervised(tmp_path / "home").ready() as daemon:
        for _ in range(DEATHS_BEFORE_SAFE_MODE + 1):
            before = daemon.get(deadline_s=15)
            assert not before["safe_mode"]
            os.kill(before["pid"], signal.SIGKILL)
        assert daemon.get(deadline_s=15)["safe_mode"]
        assert [view["state"] for view in daemon.ask("status")["workers"]] == ["safe_mode", "ready"]


def test_a_worker_that_cannot_start_leaves_the_control_socket_working(tmp_path: Path) -> None:
    with Supervised(tmp_path / "home", config={"request_timeout": 13}) as daemon:
        eventually(lambda: any(view["restarts"] for view in daemon.ask("status")["workers"]))
        daemon.configure({"request_timeout": 14})
        daemon.ask("reload")
        daemon.ready()


def test_workers_learn_of_each_other_and_get_no_secret_by_argument_or_environment(tmp_path: Path) -> None:
    env = {"WATCHDOG_USEC": "5000000", "LISTEN_FDS": "0"}
    with Supervised(tmp_path / "home", config={"workers": 2}, env=env).ready() as daemon:
        expected = ["data-plane-1 ready", "data-plane-2 ready", "vault ready"]
        known = eventually(lambda: (found := daemon.get())["fleet"] == expected and found)
        assert not {"WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET"} & set(known["environ"])
        salt = (tmp_path / "home" / "salt").read_bytes().hex()
        for pid in daemon.children():
            seen = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
            assert salt.encode() not in seen


def test_a_worker_inherits_its_link_its_listeners_and_nothing_else(tmp_path: Path) -> None:
    with Supervised(tmp_path / "home").ready() as daemon:
        lock = os.stat(tmp_path / "home" / "tokenpakd.lock").st_ino
        for pid in daemon.children():
            fds = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd")]
            assert not [name for name in fds if name.endswith("tokenpakd.lock")]
            assert lock not in {os.stat(entry.path).st_ino for entry in os.scandir(f"/proc/{pid}/fd")}
            assert re.search(r"Max core file size +0 ", Path(f"/proc/{pid}/limits").read_text())
        argv = daemon.get()["argv"]
        assert [re.sub(r"\d+", "N", word) for word in argv] == [
            "--link-fd",
            "N",
            "--http-fds",
            "N,N",
            "--ws-fds",
            "N,N",
        ]
