"""The pins that a worker has in memory: those seen last, and what is not in the store yet.

A pin stays as it was made, only `masked_spans` may rise. Nothing here decides whether the store can be written.
"""

from collections import OrderedDict
from itertools import islice

import apsw
import msgspec

from tokenpakd.exchange.row import Pin
from tokenpakd.storage import rows

PINS_REMEMBERED = 4096


class Pins:
    """What conversations keep. `unsaved_max` bounds what waits for the store; the rest is forgotten with the worker."""

    def __init__(self, *, unsaved_max: int) -> None:
        self._unsaved_max = unsaved_max
        self._seen: OrderedDict[str, Pin] = OrderedDict()
        self._unsaved: dict[str, Pin] = {}

    def seen(self, conversation: str) -> Pin | None:
        """Yield the pin, as far as it is remembered."""
        return self._seen.get(conversation)

    def remember(self, pin: Pin) -> None:
        """Keep a pin; of one epoch the first one stands, but for a higher mask."""
        known = self._seen.get(pin.conversation)
        if known is None or pin.epoch > known.epoch:
            self._seen[pin.conversation] = pin
        elif pin.epoch == known.epoch and pin.masked_spans > known.masked_spans:
            self._seen[pin.conversation] = msgspec.structs.replace(known, masked_spans=pin.masked_spans)
        self._seen.move_to_end(pin.conversation)
        if len(self._seen) > PINS_REMEMBERED:
            self._seen.popitem(last=False)

    def mask(self, conversation: str, epoch: int, masked_spans: int) -> None:
        """Raise what is remembered; a lower number, another epoch or an unknown conversation changes nothing."""
        known = self._seen.get(conversation)
        if known is not None and known.epoch == epoch and known.masked_spans < masked_spans:
            self._seen[conversation] = msgspec.structs.replace(known, masked_spans=masked_spans)

    def save_later(self, pin: Pin) -> None:
        """Let a pin wait for the store."""
        if len(self._unsaved) < self._unsaved_max:
            self._unsaved.setdefault(pin.conversation, pin)

    def has_unsaved(self) -> bool:
        """Say whether anything waits."""
        return bool(self._unsaved)

    def write(self, connection: apsw.Connection, most: int) -> tuple[str, ...]:
        """Write what waits, `most` of it, within the caller's transaction; `forget` it after the commit.

        Yields the conversations whose pins were written.

        Raises:
          apsw.Error: as SQLite says; everything still waits.
        """
        pins = tuple(islice(self._unsaved.values(), most))
        for pin in pins:
            connection.execute(rows.INSERT_PIN, rows.pin_values(pin))
        return tuple(pin.conversation for pin in pins)

    def forget(self, written: tuple[str, ...]) -> None:
        """Take what was written off the waiting."""
        for conversation in written:
            del self._unsaved[conversation]
