"""An output that already stands whole earlier in the request becomes one line that names it.

What is pointed at stands in what is sent as it is; an output that was itself folded is none to point at.
"""

import msgspec

from tokenpakd.compression import naming
from tokenpakd.exchange.request import Call, Span
from tokenpakd.tokens.estimate import estimate, estimate_closely

_SHORTEST_CHARS = 80
_MARGIN_TOKENS = 6


class _First(msgspec.Struct, frozen=True, gc=False):
    call: Call
    is_whole: bool


class WholeIndex:
    """The outputs of one conversation that were sent in one piece, by their text."""

    def __init__(self) -> None:
        self._firsts: dict[str, _First] = {}
        self._order: list[str] = []
        self._counted: dict[tuple[str, str], int] = {}
        self._calls: list[tuple[tuple[str, str], int]] = []

    def mark(self) -> tuple[int, int]:
        """Return where the index stands now, for `rollback`."""
        return len(self._order), len(self._calls)

    def rollback(self, mark: tuple[int, int]) -> None:
        """Forget what was learned after `mark`."""
        texts, calls = mark
        for text in self._order[texts:]:
            del self._firsts[text]
        for name, before in reversed(self._calls[calls:]):
            self._counted[name] = before
        del self._order[texts:], self._calls[calls:]

    def pointer(self, text: str, span: Span) -> str | None:
        """Return what may be said instead of an output; None where it stands nowhere or saves nothing."""
        if len(text) < _SHORTEST_CHARS:
            return None
        first = self._firsts.get(text)
        if first is None or first.call == span.call:
            return None
        times = self._counted.get((first.call.name, first.call.label), 0)
        told = naming.same_output(first.call, times=times, is_whole=span.is_whole and first.is_whole)
        return told if estimate_closely(text) >= estimate(told) + _MARGIN_TOKENS and len(told) < len(text) else None

    def answered(self, span: Span) -> None:
        """Count the call that a result answers: a name borne by several calls is told with its ordinal."""
        if span.call is not None:
            name = span.call.name, span.call.label
            before = self._counted.get(name, 0)
            self._calls.append((name, before))
            self._counted[name] = max(before, span.call.ordinal)

    def learn(self, text: str, span: Span) -> None:
        """Note an output that is sent in one piece; of one in several texts nobody could say which is meant."""
        if span.call is not None and span.is_whole and len(text) >= _SHORTEST_CHARS and text not in self._firsts:
            self._firsts[text] = _First(span.call, span.is_whole)
            self._order.append(text)
