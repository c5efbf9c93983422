"""Door: the proof that one daemon runs. The kernel drops it with the process, so nothing is ever stale."""

import fcntl
import os
from pathlib import Path

from tokenpakd.supervision.state_files import open_private


class AnotherDaemon(Exception):
    """The lock is held. `pid` is what its owner wrote, None when it has not written yet."""

    def __init__(self, path: Path, pid: int | None) -> None:
        owner = f"pid {pid}" if pid else "a process that is just starting"
        super().__init__(f"another tokenpakd runs: {owner} holds {path}. Run `tokenpakctl status`.")
        self.pid = pid


def take(path: Path) -> int:
    """Yield the fd that holds the lock; keep it open for the life of the daemon.

    The fd is close-on-exec: a child that inherited it would keep the lock after our death. The pid inside serves
    the message only, nothing is decided by it.

    Raises:
      AnotherDaemon: somebody holds it.
      UnsafePermissions: the file is not ours alone.
    """
    fd = open_private(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        written = os.pread(fd, 32, 0).strip()
        os.close(fd)
        raise AnotherDaemon(path, int(written) if written.isdigit() else None) from error
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd
