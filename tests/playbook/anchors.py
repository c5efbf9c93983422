"""What an editor must quote next: does it still stand in what is sent, line for line, and under which number.

Seen as the model sees it: every string of the messages, by lines, with what viewers write before a line set aside.
Nothing is known of how anything was compressed.
"""

import re
from collections.abc import Iterable, Iterator

import msgspec

from tokenpakd.replay import bodies

_TIGHT = re.compile(r" *(?:Line |L)?\d{1,7}[\t→:|-]|[\w./@+-]*[:-]\d{1,7}[:-]")
_SPACED = re.compile(r" *(?:Line |L)?\d{1,7}(?:: | ?\| )")
_PLAIN = re.compile(r" *(\d{1,7})[\t→:|-] ?")


class Anchors:
    """Looks at the requests of one conversation in order, each with what the model edits next."""

    def __init__(self) -> None:
        self.asked = 0
        self.lost: list[str] = []
        self.torn = 0
        """Anchors whose lines all stand there, but nowhere one below the other."""
        self.numbers_asked = 0
        self.numbers_hidden: list[str] = []
        self._raw, self._sent = _Seen(), _Seen()

    def see(self, raw: bytes, sent: bytes, answer: Iterable[str]) -> None:
        """Count the anchors of one answer: strings of it that stand in the client's request, and line numbers."""
        self._raw.show(raw)
        self._sent.show(sent)
        for text in answer:
            wanted = text.split("\n")
            if text.isdigit() and len(text) > 1:
                self._see_number(text)
            elif self._raw.holds(wanted):
                self.asked += 1
                self.lost += [line for line in wanted if line not in self._sent.lines]
                self.torn += not self._sent.holds(wanted)

    def _see_number(self, number: str) -> None:
        if number in self._raw.numbers:
            self.numbers_asked += 1
            if number not in self._sent.numbers:
                self.numbers_hidden.append(number)


class _Seen:
    def __init__(self) -> None:
        self.lines: set[str] = set()
        self.numbers: set[str] = set()
        self._joined = ""
        self._messages = 0

    def show(self, body: bytes) -> None:
        messages = bodies.parts(body).messages
        for message in messages[self._messages :]:
            for text in _texts(msgspec.json.decode(message)):
                lines = text.split("\n")
                for shown in (
                    lines,
                    [_without(_TIGHT, one) for one in lines],
                    [_without(_SPACED, one) for one in lines],
                ):
                    self.lines.update(shown)
                    self._joined += "\n" + "\n".join(shown) + "\n\0"
                self.numbers.update(match[1] for line in lines if (match := _PLAIN.match(line)))
                self.numbers.update(re.findall(r"(?<!\d)\d{2,7}(?!\d)", text))
        self._messages = len(messages)

    def holds(self, lines: list[str]) -> bool:
        return "\n" + "\n".join(lines) + "\n" in self._joined


def _texts(message: object) -> Iterator[str]:
    return iter(bodies.strings(message))


def _without(number: re.Pattern[str], line: str) -> str:
    found = number.match(line)
    return line[found.end() :] if found is not None else line
