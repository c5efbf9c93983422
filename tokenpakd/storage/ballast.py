"""A file that weighs something, to be thrown overboard when the disk is full: then the rows of the hour still fit."""

import contextlib
import os
from pathlib import Path

BALLAST_BYTES = 16 * 1024 * 1024
PLENTY_BYTES = 64 * BALLAST_BYTES
"""Ballast is taken on only where this much is free: on a small disk it would itself be the trouble."""


def ballast_of(database: Path) -> Path:
    """Yield where the ballast of a database lies."""
    return database.with_name(database.name + ".ballast")


def take_ballast(database: Path) -> bool:
    """Lay the file down where there is plenty of room; True where it lies afterwards."""
    path = ballast_of(database)
    try:
        if path.exists():
            return True
        disk = os.statvfs(path.parent)
        if disk.f_bavail * disk.f_frsize < PLENTY_BYTES:
            return False
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            # Written, not only sized: a sparse file frees nothing.
            for _ in range(16):
                os.write(handle, bytes(BALLAST_BYTES // 16))
        finally:
            os.close(handle)
    except OSError:
        drop_ballast(database)
        return False
    return True


def drop_ballast(database: Path) -> None:
    """Free the space; nothing happens where there is no ballast."""
    with contextlib.suppress(OSError):
        ballast_of(database).unlink()
