"""What a conversation keeps: its key, and the mode it began with.

A change of mode in the middle would rewrite what was already sent and throw the provider's cache away; so a
conversation is pinned to the mode of its first request. Pins hold keyed hashes, never text.
"""

import hashlib
from collections import OrderedDict

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


class PinBook:
    """The pins of the conversations used last, at most `size`; the older ones are in the database."""

    def __init__(self, size: int, *, epoch: int = 0) -> None:
        self._size = size
        self._epoch = epoch
        self._pins: OrderedDict[str, Pin] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pins)

    @property
    def epoch(self) -> int:
        """Return the epoch below which pins are void."""
        return self._epoch

    def get(self, conversation: str) -> Pin | None:
        """Return a conversation's pin and note its use; None when it is unknown here."""
        pin = self._pins.get(conversation)
        if pin is not None:
            self._pins.move_to_end(conversation)
        return pin

    def put(self, pin: Pin) -> Pin | None:
        """Note a pin and return the one that now stands.

        The first of an epoch stands: two requests that open a conversation together agree. None for a pin of an
        epoch already gone.
        """
        if pin.epoch < self._epoch:
            return None
        standing = self._pins.get(pin.conversation)
        if standing is None or standing.epoch < pin.epoch:
            standing = self._pins[pin.conversation] = pin
        self._pins.move_to_end(pin.conversation)
        while len(self._pins) > self._size:
            self._pins.popitem(last=False)
        return standing

    def forget_before(self, epoch: int) -> int:
        """Forget the pins of older epochs, now and when they come back from the database; return how many went."""
        if epoch <= self._epoch:
            return 0
        self._epoch = epoch
        kept = OrderedDict((key, pin) for key, pin in self._pins.items() if pin.epoch >= epoch)
        gone = len(self._pins) - len(kept)
        self._pins = kept
        return gone
