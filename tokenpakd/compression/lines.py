"""Runs of lines that already stand verbatim earlier in the request become one line that says where.

Notation, always a line of its own:

    [12 lines as in fields.py "def _serialize"]
    [12 lines as in fields.py 2nd "def _serialize", without numbers]
    [+11 lines as in fields.py, numbers +5]             below the run's first line, which stays
    [+11 lines as in fields.py, numbers count on]       the same; the earlier lines bear no numbers
    [12 lines as above "Traceback (most"]               further up in the same text

What it means: among the earlier texts that go by that name, in order, the first line that begins with the quote
(indentation and line number set aside; `1st`, `2nd` or `3rd` where there are several), or the one that equals the line
that stayed and goes on; and the lines that follow it there.
`numbers +5`: each line's number is the earlier one's and 5. The encoder looks a pointer up by that rule before it
uses it, so what is named is what is meant.

Only lines that stand verbatim in what is sent are pointed at: what a pointer stands for is not indexed. What happens
to a block depends on it and on the blocks before it.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import partial

import msgspec

from tokenpakd.compression.line_text import (
    PLAIN,
    SAME_STARTS,
    Limits,
    Lines,
    agreement,
    best_quote,
    groups,
    inner,
    rank,
    unparted,
)
from tokenpakd.compression.own_lines import Fold, Folded, OwnLines
from tokenpakd.tokens.estimate import estimate, estimate_closely

_CANDIDATES = 16
_SHORTEST_ANCHOR = 6
_STEP = 32
_STEPS_PER_LINE = 8
_TRIES_PER_RUN = 4
_MOST_COPIES = 16
_MARGIN_TOKENS = 6


class _Named(msgspec.Struct):
    """The blocks that go by one name, and their lines by how they start, as far as they were read."""

    blocks: list[tuple[int, int]] = []
    read: int = 0
    starts: dict[str, list[int]] = {}


class _Run(msgspec.Struct, frozen=True, gc=False):
    at: int
    size: int
    form: str

    @property
    def keeps_first(self) -> bool:
        return self.form.startswith("numbers")


_NO_RUN = _Run(0, 0, PLAIN)


class LineIndex:
    """The lines of one conversation that were sent verbatim, by content. Grows block by block."""

    def __init__(self) -> None:
        self._contents: list[str | None] = []
        self._prefixes: list[str] = []
        self._places: dict[str, int | list[int]] = {}
        self._named: dict[str, _Named] = {}
        self._starts: list[int] = []
        self._names: list[tuple[str, ...]] = []

    def __len__(self) -> int:
        """Return how many lines it holds."""
        return len(self._contents)

    def mark(self) -> int:
        """Return where the index stands now, for `rollback`."""
        return len(self._starts)

    def rollback(self, mark: int) -> None:
        """Forget every block learned after `mark`."""
        if mark >= len(self._starts):
            return
        start = self._starts[mark]
        for at in range(len(self._contents) - 1, start - 1, -1):
            content = self._contents[at]
            if content is None:
                continue
            places = self._places.get(content)
            if isinstance(places, list) and places[-1] == at:
                places.pop()
                if len(places) == 1:
                    self._places[content] = places[0]
            elif places == at:
                del self._places[content]
        for name in {name for names in self._names[mark:] for name in names}:
            kept = [block for block in self._named[name].blocks if block[0] < start]
            self._named[name] = _Named(blocks=kept)
        del self._contents[start:], self._prefixes[start:], self._starts[mark:], self._names[mark:]

    def learn(self, lines: Lines, names: tuple[str, ...], *, is_target: bool = True) -> None:
        """Note a block as it is sent; one without a name cannot be pointed at.

        One that is no target only stands among those of its name when a quote is looked up.
        """
        start = len(self._contents)
        self._starts.append(start)
        self._names.append(names)
        if not names:
            return
        contents, places = self._contents, self._places
        contents += lines.contents
        self._prefixes += lines.prefixes if lines.prefixes is not None else [""] * len(lines.contents)
        for at, content in enumerate(lines.contents if is_target else (), start):
            if content is None or len(content) < _SHORTEST_ANCHOR:
                continue
            known = places.get(content)
            if known is None:
                places[content] = at
            elif isinstance(known, int):
                places[content] = [known, at]
            elif len(known) < _CANDIDATES:
                known.append(at)
        contents.append(None)  # no run crosses from one block into the next
        self._prefixes.append("")
        for name in names:
            self._named.setdefault(name, _Named()).blocks.append((start, len(contents)))

    def fold(self, lines: Lines, limits: Limits, *, sees_itself: bool = False) -> Folded | None:
        """Return a text with pointers in it; None where no run is worth one.

        With `sees_itself` its own earlier lines may be pointed at too.
        """
        places, contents = self._places, lines.contents
        at, last = inner(lines)
        steps = _STEPS_PER_LINE * len(contents) + _CANDIDATES
        headed = groups(lines)
        fold = Fold(lines)
        own = OwnLines(lines) if sees_itself else None
        twins = own.twins if own is not None else frozenset[str]()
        tries, tried_until = 0, 0
        while at < last and steps > 0:
            content = contents[at] or ""
            known = places.get(content)
            nearer = own.longest(at, last) if own is not None and content in twins else None
            if nearer is not None and headed:
                nearer = nearer[0], unparted(headed, at, nearer[1])
            if known is None and nearer is None:
                if own is not None and content in twins:
                    own.keep(at)
                at += 1
                continue
            run, length = _NO_RUN, nearer[1] if nearer is not None else 0
            steps -= length // _STEPS_PER_LINE + 1
            if known is not None:
                run, taken = self._longest(lines, at, last, (known,) if isinstance(known, int) else known)
                steps -= taken
                run = _Run(run.at, unparted(headed, at, run.size), run.form) if headed else run
            length = max(length, run.size)
            told = self._told(lines, at, run, limits) if run.size else None
            if own is not None and nearer is not None and (told is None or nearer[1] > run.size):
                above = own.told(at, *nearer, limits)
                if above is not None:
                    told, run = above, _Run(nearer[0], nearer[1], PLAIN)
            if told is not None:
                fold.replace(at + run.keeps_first, at + run.size, told)
                if own is not None:
                    own.fold(at + run.keeps_first, at + run.size)
                    if run.keeps_first:
                        own.keep(at)
                at += run.size
                continue
            # A run that cannot be told from its first line on may be from the next; not for ever, it may be long.
            tries = tries + 1 if at < tried_until else 0
            tried_until = max(tried_until, at + length)
            begin, at = at, tried_until if tries >= _TRIES_PER_RUN else at + 1
            if own is not None:
                for kept in range(begin, at):
                    own.keep(kept)
        return fold.finished()

    def _longest(self, lines: Lines, at: int, last: int, places: Sequence[int]) -> tuple[_Run, int]:
        """Return the longest run from a line on, and how many steps it took to find."""
        best, steps = _Run(places[0], 0, PLAIN), 0
        mine, theirs = lines.contents, self._contents
        for place in places:
            # Longer than the best one only where it goes on as far as that one went.
            end = place + best.size
            if at + best.size >= last or end >= len(theirs) or theirs[end] != mine[at + best.size]:
                steps += 1
                continue
            size = self._equal(lines, at, last, place)
            steps += size // _STEP + 1
            if size > best.size:
                numbers = lines.prefixes[at : at + size] if lines.prefixes is not None else [""] * size
                agreed, form = agreement(numbers, self._prefixes[place : place + size])
                steps += 0 if form is PLAIN else agreed // _STEPS_PER_LINE
                if agreed > best.size:
                    best = _Run(place, agreed, form)
        return best, steps

    def _equal(self, lines: Lines, at: int, last: int, place: int) -> int:
        """Return how many lines have the same contents from here on; 1 where the second one's number differs."""
        mine, theirs = lines.contents, self._contents
        limit = min(last - at, len(theirs) - place)
        if limit < 2 or mine[at + 1] != theirs[place + 1]:
            return 1
        # Thousands of equal lines with numbers of their own, a search for example: told apart at once.
        if lines.prefixes is not None and self._prefixes[place]:
            numbers = self._prefixes[place : place + 2]
            if agreement(lines.prefixes[at : at + 2], numbers)[0] < 2:
                return 1
        size = 2
        while size < limit:
            step = min(_STEP, limit - size)
            if mine[at + size : at + size + step] == theirs[place + size : place + size + step]:
                size += step
                continue
            while mine[at + size] == theirs[place + size]:
                size += 1
            break
        return size

    def _told(self, lines: Lines, at: int, run: _Run, limits: Limits) -> str | None:
        """Return the pointer to a run; None where it is too short, saves nothing or cannot be named."""
        folded = lines.raw(at + run.keeps_first, at + run.size)
        text = "\n".join(folded)
        if not limits.allow(folded, text):
            return None
        spare = estimate_closely(text) - _MARGIN_TOKENS
        content = self._contents[run.at] or ""
        for name in self._names[bisect_right(self._starts, run.at) - 1]:
            if run.keeps_first:
                if not self._leads_to(name, run):
                    continue
                told = f"[+{len(folded)} lines as in {name}, {run.form}]"
                return told if estimate(told) <= spare else None
            quote = best_quote(content, partial(self._rank, name, run.at))
            if quote is not None:
                told = f"[{len(folded)} lines as in {name} {quote}{', ' + run.form if run.form else ''}]"
                return told if estimate(told) <= spare and len(told) < len(text) else None
        return None

    def _leads_to(self, name: str, run: _Run) -> bool:
        """Say whether a run is found under a name by its first line: that is the first such, and no other goes on."""
        contents, content = self._contents, self._contents[run.at] or ""
        is_found, others = False, 0
        for at in self._alike(name, content)[:SAME_STARTS]:
            if at == run.at:
                is_found = True
            elif contents[at] == content:
                if not is_found:
                    return False
                if contents[at + 1] is None:  # what was folded behind it is not there to be taken for the run
                    continue
                others += 1
                copy = contents[at : at + run.size]
                if others > _MOST_COPIES or copy != contents[run.at : run.at + run.size]:
                    return False
        return is_found

    def _rank(self, name: str, place: int, quote: str) -> tuple[int, bool]:
        """Return the how-manieth of that name's lines which begin with the quote a line is, and if there are others."""
        return rank(self._contents, self._alike(name, quote), place, quote)

    def _alike(self, name: str, quote: str) -> Sequence[int]:
        """Return where that name's lines stand which begin nearly like a quote."""
        named = self._named[name]
        starts = named.starts
        while named.read < len(named.blocks):
            start, end = named.blocks[named.read]
            for at, content in enumerate(self._contents[start:end], start):
                if content is not None and len(content) >= _SHORTEST_ANCHOR:
                    starts.setdefault(content.lstrip()[:_SHORTEST_ANCHOR], []).append(at)
            named.read += 1
        return starts.get(quote.lstrip()[:_SHORTEST_ANCHOR], ())
