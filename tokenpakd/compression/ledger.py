"""What a conversation keeps: its key, and the mode it began with.

A change of mode in the middle would rewrite what was already sent and throw the provider's cache away; so a
conversation is pinned to the mode of its first request. Pins hold keyed hashes, never text.
"""

import hashlib

from tokenpakd.exchange.row import Pin
from tokenpakd.tip.modes import Mode

_KEY_BYTES = 16
_LENGTH_BYTES = 8


def conversation_key(opening: tuple[bytes, ...], salt: bytes) -> str:
    """Return 32 hex digits for an opening, the same as long as the salt is; 1 ms per MB.

    Parts are hashed with their lengths: text cannot move from one into the next. A salt longer than 64 bytes is
    hashed first.
    """
    key = salt if len(salt) <= hashlib.blake2b.MAX_KEY_SIZE else hashlib.blake2b(salt).digest()
    digest = hashlib.blake2b(key=key, digest_size=_KEY_BYTES)
    for part in opening:
        digest.update(len(part).to_bytes(_LENGTH_BYTES, "big"))
        digest.update(part)
    return digest.hexdigest()


def parse_mode(value: str) -> Mode | None:
    """Return the mode a header or a stored pin names; None when it names none."""
    try:
        return Mode(value.strip().lower())
    except ValueError:
        return None


def effective_mode(header: Mode | None, pin: Pin | None, daemon_mode: Mode) -> Mode:
    """Return the mode of one request: the header's, else the conversation's, else the daemon's.

    A pin of a mode that this version does not know counts as none.
    """
    if header is not None:
        return header
    pinned = parse_mode(pin.mode) if pin is not None else None
    return daemon_mode if pinned is None else pinned
