import os
from pathlib import Path

import pytest

from tokenpakd.supervision import lock


def test_the_second_taker_reads_the_pid_of_the_first(tmp_path: Path) -> None:
    fd = lock.take(tmp_path / "lock")
    assert not os.get_inheritable(fd)
    with pytest.raises(lock.AnotherDaemon, match=f"pid {os.getpid()}") as refused:
        lock.take(tmp_path / "lock")
    assert refused.value.pid == os.getpid()
    os.close(fd)
    os.close(lock.take(tmp_path / "lock"))


def test_an_owner_that_has_not_written_yet_is_no_reason_to_fail(tmp_path: Path) -> None:
    fd = lock.take(tmp_path / "lock")
    os.ftruncate(fd, 0)
    with pytest.raises(lock.AnotherDaemon, match="just starting") as refused:
        lock.take(tmp_path / "lock")
    assert refused.value.pid is None
    os.close(fd)


def test_a_longer_pid_of_an_earlier_owner_leaves_no_trace(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("99999999999\n")
    (tmp_path / "lock").chmod(0o600)
    fd = lock.take(tmp_path / "lock")
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    os.close(fd)
