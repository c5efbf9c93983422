"""Door: which user is at the other end of a loopback TCP connection (Linux).

One NETLINK sock_diag question per connection, under 0.1 ms; reading /proc/net/tcp takes 8 ms on a busy machine
and is the way back where the netlink family is not allowed.
"""

import os
import socket
import struct
import sys

import trio

_SOCK_DIAG_BY_FAMILY = 20
_NETLINK_SOCK_DIAG = 4
_NLM_F_REQUEST = 1
_NOCOOKIE = b"\xff" * 8
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBBI")
_ENDS_OFFSET = _HEADER.size + 4
_UID_OFFSET = _ENDS_OFFSET + 48 + 4 * 3
"""inet_diag_msg: 4 bytes of states, the 48-byte socket id, then expires, rqueue, wqueue, uid, inode."""
NOBODY = -1
"""A client that closed before we asked: the kernel calls the owner of what is left uid 0, which is not root."""


class PeerUids:
    """Answers for every connection of this worker; holds one netlink socket."""

    def __init__(self) -> None:
        self._netlink: socket.socket | None = None
        if sys.platform == "linux":
            try:
                self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_SOCK_DIAG)
                self._netlink.settimeout(0.05)
            except OSError:
                self._netlink = None  # A sandbox without AF_NETLINK.

    def close(self) -> None:
        """Close the netlink socket."""
        if self._netlink is not None:
            self._netlink.close()

    def lookup(self, sock: socket.socket | trio.socket.SocketType) -> int | None:
        """Return the uid that owns the client's end of an accepted connection; None where nobody knows."""
        if sys.platform != "linux":
            return None
        try:
            here, there = sock.getsockname(), sock.getpeername()
        except OSError:
            return None
        family = sock.family
        if self._netlink is not None:
            uid = self._ask(family, there, here)
            if uid is not None:
                return uid
        return _from_proc(family, there, here)

    def _ask(self, family: int, source: tuple[str, int], target: tuple[str, int]) -> int | None:
        assert self._netlink is not None
        size = 16 if family == socket.AF_INET6 else 4
        ends = struct.pack("!HH", source[1], target[1])
        for address in (source[0], target[0]):
            ends += socket.inet_pton(family, address.partition("%")[0]).ljust(16, b"\0")[: max(size, 16)]
        body = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF) + ends + struct.pack("=I", 0) + _NOCOOKIE
        try:
            self._netlink.send(
                _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0) + body
            )
            answer = self._netlink.recv(4096)
        except OSError:
            return None
        if len(answer) < _UID_OFFSET + 8 or _HEADER.unpack_from(answer)[1] != _SOCK_DIAG_BY_FAMILY:
            return None
        if answer[_ENDS_OFFSET : _ENDS_OFFSET + len(ends)] != ends:
            return None  # The late answer to an earlier question: of another connection.
        uid, inode = struct.unpack_from("=II", answer, _UID_OFFSET)
        return int(uid) if inode else NOBODY


def _hex_address(family: int, address: tuple[str, int]) -> str:
    packed = socket.inet_pton(family, address[0].partition("%")[0])
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words) + f":{address[1]:04X}"


def _from_proc(family: int, source: tuple[str, int], target: tuple[str, int]) -> int | None:
    wanted = [_hex_address(family, source), _hex_address(family, target)]
    try:
        with open("/proc/net/tcp6" if family == socket.AF_INET6 else "/proc/net/tcp", encoding="ascii") as table:
            for line in table:
                columns = line.split()
                if columns[1:3] == wanted:
                    return int(columns[7]) if columns[9] != "0" else NOBODY
    except (OSError, ValueError, IndexError):
        return None
    return None


def own_uids() -> frozenset[int]:
    """Return the users that need no token: this process's own and root."""
    return frozenset({os.geteuid(), 0})
