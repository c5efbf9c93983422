"""Whether a conversation's requests still begin with what was sent before: the provider's cache depends on it.

Request k+1 as sent must begin with the messages of request k as sent, as far as the client's own requests do. Messages
are compared one by one: byte for byte where the client repeated its bytes, else without cache markers and with one
spelling (string ≡ one text block), which is what the provider compares.
"""

import msgspec

from tokenpakd.replay import bodies
from tokenpakd.replay.bodies import Parts


class Break(msgspec.Struct, frozen=True):
    """A change of what was already sent: in which request, and from which message on; -1 is the frame before them."""

    request: int
    message: int


class PrefixWatch:
    """Looks at the requests of one conversation in order, both arms, and notes what broke."""

    def __init__(self) -> None:
        self.pairs = 0
        self.breaks: list[Break] = []
        self._seen = 0
        self._before: tuple[Parts, Parts] | None = None

    def see(self, raw: bytes, sent: bytes) -> Break | None:
        """Compare a request with the one before it; return the break, if it is one."""
        parts = bodies.parts(raw)
        now = parts, parts if sent is raw else bodies.parts(sent)
        before, self._before = self._before, now
        number, self._seen = self._seen, self._seen + 1
        if before is None:
            return None
        self.pairs += 1
        place = _broken(before, now)
        if place is None:
            return None
        found = Break(number, place)
        self.breaks.append(found)
        return found


def _broken(before: tuple[Parts, Parts], now: tuple[Parts, Parts]) -> int | None:
    (raw_before, sent_before), (raw, sent) = before, now
    if len(sent.messages) != len(raw.messages):
        return min(len(sent.messages), len(raw.messages))
    if raw_before.frame == raw.frame and sent_before.frame != sent.frame:
        return -1
    for index, (old, new) in enumerate(zip(raw_before.messages, raw.messages, strict=False)):
        is_same_bytes = old == new
        if not is_same_bytes and bodies.canonical(old) != bodies.canonical(new):
            return None  # here the client itself began anew
        sent_old, sent_new = sent_before.messages[index], sent.messages[index]
        if sent_old != sent_new and (is_same_bytes or bodies.canonical(sent_old) != bodies.canonical(sent_new)):
            return index
    return None
