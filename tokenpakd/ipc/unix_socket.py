"""Door: the control socket's file and the kernel's word on who is at the other end."""

import contextlib
import os
import socket
import stat
import struct
import sys
from pathlib import Path

import trio

BACKLOG = 64
PROBE_S = 1.0
# struct xucred of macOS begins: u_int version; uid_t uid. SOL_LOCAL is 0, LOCAL_PEERCRED is 1.
_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_BYTES = 0, 1, 76


class SocketTaken(Exception):
    """The path of the control socket cannot be used; the text says why and what to do."""


def bind(path: Path) -> socket.socket:
    """Yield the listening control socket, mode 0600. Call it under the daemon's lock, in a folder of ours.

    A socket that nobody answers on is left over from a killed daemon and is removed; anything else is not touched.

    Raises:
      SocketTaken: somebody answers there, or it is no socket.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        pass
    else:
        if not stat.S_ISSOCK(found.st_mode):
            raise SocketTaken(f"{path} is not a socket. Move it away, or set TOKENPAK_SOCKET.")
        if _answers(path):
            raise SocketTaken(f"another daemon answers on {path}. Run `tokenpakctl status`, or set TOKENPAK_SOCKET.")
        path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)  # the mode must be right from the first moment, not after a chmod
    try:
        listener.bind(os.fspath(path))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise SocketTaken(f"{path} cannot be bound: {error.strerror}. Set TOKENPAK_SOCKET.") from error
    finally:
        os.umask(before)
    listener.setblocking(False)
    return listener


def unlink(path: Path) -> None:
    """Remove the socket's file; call it under the daemon's lock."""
    with contextlib.suppress(OSError):
        path.unlink()


def peer_uid(connection: trio.SocketStream) -> int | None:
    """Yield the uid of the process that connected, as the kernel noted it then; None where it does not say."""
    try:
        if sys.platform == "darwin":
            credentials = connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_BYTES)
            return int(struct.unpack_from("=II", credentials)[1])
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("=iII"))
        return int(struct.unpack("=iII", credentials)[1])
    except (OSError, struct.error):
        return None


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_S)
        try:
            probe.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True  # a full backlog or a slow peer is still a peer
    return True
