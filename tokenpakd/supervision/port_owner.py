"""Door: who listens on a port, as far as /proc tells. Only for a message; nothing is decided by it."""

import contextlib
import os
from pathlib import Path

_LISTEN = "0A"


def describe_owner(port: int, proc: Path = Path("/proc")) -> str:
    """Yield words such as «uid 1000, pid 4711 (nc)»; what cannot be found out is left out."""
    found = _listening(port, proc)
    if not found:
        return "another process"
    uid, inodes = found
    pid = _pid_holding(inodes, proc)
    if pid is None:
        return f"uid {uid}"
    name = ""
    with contextlib.suppress(OSError):
        name = f" ({_harmless((proc / str(pid) / 'comm').read_bytes())})"
    return f"uid {uid}, pid {pid}{name}"


def _harmless(name: bytes) -> str:
    """A process names itself as it likes, in any bytes; the message goes to a terminal."""
    text = name.decode("utf-8", "replace").strip()
    return "".join(char if char.isprintable() else "�" for char in text)


def _listening(port: int, proc: Path) -> tuple[int, frozenset[str]] | None:
    uid: int | None = None
    inodes: set[str] = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (proc / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    uid = int(fields[7])
                    inodes.add(fields[9])
    return None if uid is None else (uid, frozenset(inodes))


def _pid_holding(inodes: frozenset[str], proc: Path) -> int | None:
    wanted = {f"socket:[{inode}]" for inode in inodes}
    with contextlib.suppress(OSError):
        for name in os.listdir(proc):
            if name.isdigit() and _holds(proc / name / "fd", wanted):
                return int(name)
    return None


def _holds(fds: Path, wanted: set[str]) -> bool:
    try:
        names = os.listdir(fds)
    except OSError:
        return False
    for name in names:
        with contextlib.suppress(OSError):
            if os.readlink(fds / name) in wanted:
                return True
    return False
