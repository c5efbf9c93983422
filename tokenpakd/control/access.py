"""Who may ask what on the control socket. Pure: the uid comes from the kernel, through the door."""

import enum


class Access(enum.Enum):
    """What a verb needs: READ looks, WRITE changes the daemon."""

    READ = "read"
    WRITE = "write"


NOTHING: frozenset[Access] = frozenset()
EVERYTHING: frozenset[Access] = frozenset(Access)


def granted(peer_uid: int | None, own_uid: int) -> frozenset[Access]:
    """Yield what a peer may do: everything for the daemon's own user and root, nothing for anyone else.

    `peer_uid` is None where the kernel would not say; that peer gets nothing.
    """
    if peer_uid is not None and peer_uid in (own_uid, 0):
        return EVERYTHING
    return NOTHING
