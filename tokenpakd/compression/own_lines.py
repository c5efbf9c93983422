"""The lines of one text that stay in it while it is being folded: a run may repeat what stands further up."""

from collections import Counter
from functools import partial

import msgspec

from tokenpakd.compression.line_text import Limits, Lines, best_quote, rank
from tokenpakd.tokens.estimate import estimate, estimate_closely

_CANDIDATES = 8
_SHORTEST_ANCHOR = 6
_MARGIN_TOKENS = 6


class Folded(msgspec.Struct, gc=False):
    """A text with pointers, and its lines as they are to be learned once it is sent."""

    text: str
    lines: Lines
    pointers: int


class OwnLines:
    """Grows as lines are passed. A run never reaches into itself and never over what was folded away.

    `twins` are the contents that stand more than once: no other line is worth a look.
    """

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        counted = Counter(lines.contents)
        self.twins = frozenset(
            content
            for content, times in counted.items()
            if times > 1 and content is not None and len(content) >= _SHORTEST_ANCHOR
        )
        self._folded = bytearray(len(lines.contents))
        self._places: dict[str, list[int]] = {}
        self._starts: dict[str, list[int]] = {}
        self._read = 0

    def keep(self, at: int) -> None:
        """Note that one of the twins stays."""
        content = self._lines.contents[at]
        if content in self.twins and content is not None:
            places = self._places.setdefault(content, [])
            if len(places) < _CANDIDATES:
                places.append(at)

    def fold(self, begin: int, end: int) -> None:
        """Note that lines do not stay."""
        self._folded[begin:end] = b"\x01" * (end - begin)

    def longest(self, at: int, last: int) -> tuple[int, int] | None:
        """Return where the longest run from `at` on stands further up, and its lines; None for none."""
        contents, prefixes = self._lines.contents, self._lines.prefixes
        content = contents[at]
        best: tuple[int, int] | None = None
        for place in self._places.get(content, ()) if content is not None else ():
            size = 0
            while (
                at + size < last
                and place + size < at
                and not self._folded[place + size]
                and contents[place + size] == contents[at + size]
                and (prefixes is None or prefixes[place + size] == prefixes[at + size])
            ):
                size += 1
            if size and (best is None or size > best[1]):
                best = place, size
        return best

    def told(self, at: int, place: int, size: int, limits: Limits) -> str | None:
        """Return the pointer to a run further up; None where it is too short, saves nothing or cannot be named."""
        folded = self._lines.raw(at, at + size)
        text = "\n".join(folded)
        if limits.allow(folded, text):
            quote = best_quote(self._lines.contents[place] or "", partial(self._rank, place, at))
            if quote is not None:
                told = f"[{size} lines as above {quote}]"
                return (
                    told
                    if estimate(told) <= estimate_closely(text) - _MARGIN_TOKENS and len(told) < len(text)
                    else None
                )
        return None

    def _rank(self, place: int, until: int, quote: str) -> tuple[int, bool]:
        """Return the how-manieth line above `until` that stays and begins with the quote a line is, 0 for far down.

        And whether there are others.
        """
        contents = self._lines.contents
        for at in range(self._read, until):
            content = contents[at]
            if content is not None and len(content) >= _SHORTEST_ANCHOR and not self._folded[at]:
                self._starts.setdefault(content.lstrip()[:_SHORTEST_ANCHOR], []).append(at)
        self._read = until
        return rank(contents, self._starts.get(quote[:_SHORTEST_ANCHOR], ()), place, quote)


class Fold:
    """A text while runs of it are being replaced."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._done = 0
        self._texts: list[str] = []
        self._contents: list[str | None] = []
        self._prefixes: list[str] = []
        self._pointers = 0

    def replace(self, begin: int, end: int, told: str) -> None:
        self._keep(begin)
        self._done = end
        self._texts.append(told)
        self._contents.append(None)
        self._prefixes.append("")
        self._pointers += 1

    def finished(self) -> Folded | None:
        if not self._pointers:
            return None
        self._keep(len(self._lines.contents))
        prefixes = None if self._lines.prefixes is None else self._prefixes
        return Folded("\n".join(self._texts), Lines(self._contents, prefixes), self._pointers)

    def _keep(self, end: int) -> None:
        lines, begin = self._lines, self._done
        self._texts += lines.raw(begin, end)
        self._contents += lines.contents[begin:end]
        self._prefixes += lines.prefixes[begin:end] if lines.prefixes is not None else [""] * (end - begin)
