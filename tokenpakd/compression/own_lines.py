"""The lines of one text that stay in it, while it is being folded: a run may repeat what stands further up."""

from tokenpakd.compression.line_text import Lines, head

_CANDIDATES = 8
_SHORTEST_ANCHOR = 6


class OwnLines:
    """Grows as lines are kept. A run never reaches into itself and never over what was folded away."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._kept: dict[int, None] = {}
        self._places: dict[str, list[int]] = {}
        self._heads: dict[str, int] = {}
        self._headed = 0
        self._order: list[int] = []

    def keep(self, at: int) -> None:
        """Note that a line stays."""
        content = self._lines.contents[at]
        self._kept[at] = None
        if content is None or len(content) < _SHORTEST_ANCHOR:
            return
        self._order.append(at)
        places = self._places.setdefault(content, [])
        if len(places) < _CANDIDATES:
            places.append(at)

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
                and place + size in self._kept
                and contents[place + size] == contents[at + size]
                and (prefixes is None or prefixes[place + size] == prefixes[at + size])
            ):
                size += 1
            if size and (best is None or size > best[1]):
                best = place, size
        return best

    def is_first(self, quote: str, place: int) -> bool:
        """Say whether a quote finds that line: the first kept one that begins with it and has the same head."""
        short = head(quote)
        for at in self._order[self._headed :]:
            self._heads.setdefault(head(self._lines.contents[at] or ""), at)
        self._headed = len(self._order)
        first = self._heads.get(short)
        return first == place and (self._lines.contents[place] or "").lstrip().startswith(quote)
