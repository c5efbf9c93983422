"""The conversations a worker remembers, least recently used first out; bounded in bytes.

Losing one costs time, never a byte: what is sent is made from the request alone.
"""

from collections import OrderedDict

from tokenpakd.compression.conversation import Conversation
from tokenpakd.exchange.request import Look

BYTES_MAX = 24_000_000
BRANCHES_MAX = 4
"""Requests that share an opening but not their history: sub-agents, a turn that was edited."""


class Memory:
    """Hands a conversation out to one request at a time; another request meanwhile starts afresh."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._kept: OrderedDict[str, list[Conversation]] = OrderedDict()
        self._bytes = 0

    @property
    def bytes_kept(self) -> int:
        """About how much memory is in use."""
        return self._bytes

    def take(self, key: str, body: bytes, look: Look) -> tuple[Conversation | None, int]:
        """Return the branch that shares most with a request, and how many of its spans; it is no longer kept.

        Of two that share as much it is the one that holds less else: the same task begun a second time.
        A branch that would lose more than it gains by being rewound stays where it is.
        """
        best, shared = None, 0
        for branch in self._kept.get(key, ()):
            count = branch.shared(body, look)
            if count > shared or (best is not None and count == shared and len(branch.spans) < len(best.spans)):
                best, shared = branch, count
        if best is None or shared * 2 < len(best.spans):
            return None, 0
        self._forget(key, best)
        return best, shared

    def keep(self, key: str, conversation: Conversation) -> None:
        """Remember a conversation as it stands after a request."""
        size = conversation.size_bytes
        if size > self._bytes_max:
            return
        branches = self._kept.setdefault(key, [])
        if len(branches) >= BRANCHES_MAX:
            self._forget(key, branches[0])
            branches = self._kept.setdefault(key, [])
        branches.append(conversation)
        self._kept.move_to_end(key)
        self._bytes += size
        while self._bytes > self._bytes_max:
            oldest = next(iter(self._kept))
            self._forget(oldest, self._kept[oldest][0])

    def _forget(self, key: str, branch: Conversation) -> None:
        branches = self._kept[key]
        branches.remove(branch)
        self._bytes -= branch.size_bytes
        if not branches:
            del self._kept[key]
