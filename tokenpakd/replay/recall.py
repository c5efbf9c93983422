"""Next-step reference recall: what the model used next and could see before, it must still see in what was sent.

For every answer: its lines, identifiers, paths, numbers and quoted strings that stand in the client's own request must
stand in the request as sent, anywhere. Both are searched as the model reads them: decoded text of all messages. This
needs no model and knows nothing of how anything was compressed.
"""

import re
from collections.abc import Iterable

import msgspec

from tokenpakd.replay import bodies

_MIN_LINE_CHARS = 16
_PATTERNS = {
    "identifiers": re.compile(r"[A-Za-z_][A-Za-z0-9_]{4,}"),
    "paths": re.compile(r"[\w.@+-]*/[\w./@+-]+"),
    "numbers": re.compile(r"\d{3,}"),
    "quotes": re.compile(r"'([^'\n]{4,80})'|\"([^\"\n]{4,80})\""),
}
_LOST_SHOWN = 20
KINDS = ("lines", *_PATTERNS)


class Count(msgspec.Struct):
    """References of one kind: visible in the client's request, and of these in what was sent."""

    asked: int = 0
    kept: int = 0

    @property
    def share(self) -> float:
        """The part that was kept; 1 when nothing was asked."""
        return self.kept / self.asked if self.asked else 1.0


class Recall(msgspec.Struct):
    """Sums over answers. `lossy_answers` lost at least one reference; `lost` holds the first few of them."""

    answers: int = 0
    lossy_answers: int = 0
    kinds: dict[str, Count] = msgspec.field(default_factory=lambda: {kind: Count() for kind in KINDS})
    lost: list[tuple[str, str]] = []

    def add(self, other: "Recall") -> None:
        """Add the sums of another conversation."""
        self.answers += other.answers
        self.lossy_answers += other.lossy_answers
        for kind, count in other.kinds.items():
            self.kinds[kind].asked += count.asked
            self.kinds[kind].kept += count.kept
        self.lost = [*self.lost, *other.lost][:_LOST_SHOWN]


class RecallWatch:
    """Looks at the requests of one conversation in order, with the answer to each."""

    def __init__(self) -> None:
        self.recall = Recall()
        self._raw, self._sent = _Visible(), _Visible()

    def see(self, raw: bytes, sent: bytes, answer: Iterable[str]) -> None:
        """Count the references of one answer."""
        self._raw.show(raw)
        self._sent.show(sent)
        self.recall.answers += 1
        is_lossy = False
        for kind, reference in references(answer):
            if reference not in self._raw:
                continue
            count = self.recall.kinds[kind]
            count.asked += 1
            if reference in self._sent:
                count.kept += 1
                continue
            is_lossy = True
            if len(self.recall.lost) < _LOST_SHOWN:
                self.recall.lost.append((kind, reference))
        self.recall.lossy_answers += is_lossy


def references(texts: Iterable[str]) -> set[tuple[str, str]]:
    """Return what the texts may have taken over: (kind, text), each once."""
    found: set[tuple[str, str]] = set()
    for text in texts:
        for line in text.split("\n"):
            bare = line.strip()
            if len(bare) >= _MIN_LINE_CHARS:
                found.add(("lines", bare))
        for kind, pattern in _PATTERNS.items():
            found.update((kind, "".join(match.groups("")) or match.group()) for match in pattern.finditer(text))
    return found


class _Visible:
    """All text that the model reads in a growing request, searched for a reference only where that is new."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._text = ""
        self._messages: list[bytes] = []
        self._found: set[str] = set()
        self._searched: dict[str, int] = {}

    def show(self, body: bytes) -> None:
        messages = [bodies.canonical(message) for message in bodies.parts(body).messages]
        held = len(self._messages)
        if messages[:held] != self._messages:
            self._forget()  # the client began anew
            held = 0
        shown = [text for raw in messages[held:] for text in bodies.strings(msgspec.json.decode(raw))]
        if not self._messages:
            shown = [*_framed(body), *shown]
        # A separator that no reference can hold: nothing is found across two texts.
        self._text += "".join(f"{text}\n\n" for text in shown)
        self._messages = messages

    def __contains__(self, reference: str) -> bool:
        if reference in self._found:
            return True
        start = max(0, self._searched.get(reference, 0) - len(reference))
        if self._text.find(reference, start) >= 0:
            self._found.add(reference)
            return True
        self._searched[reference] = len(self._text)
        return False


def _framed(body: bytes) -> list[str]:
    """Yield the texts of system prompt and tools."""
    frame = bodies.parts(body).frame
    return [text for _, raw in frame for text in bodies.strings(msgspec.json.decode(raw))]
