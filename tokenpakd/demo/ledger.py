"""What the demo provider billed, per caller: sums, and how often a request did not continue the one before. Pure."""

from collections.abc import Sequence

import msgspec

from tokenpakd.demo.prompt_cache import Block, Charge, is_continued


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """One caller's bill so far."""

    requests: int = 0
    input: Charge = Charge()
    output_tokens: int = 0
    prefix_breaks: int = 0
    """Requests that changed a block which an earlier request of the same conversation had already sent."""

    @property
    def units(self) -> float:
        """The price of all input, in units of one uncached token."""
        return self.input.units


class Ledger:
    """Bills by caller's key."""

    def __init__(self) -> None:
        self._bills: dict[str, Bill] = {}
        self._last: dict[tuple[str, str], tuple[bytes, ...]] = {}

    def book(self, caller: str, opening: str, blocks: Sequence[Block], charge: Charge, output_tokens: int) -> None:
        """Add one answered request; `opening` tells a caller's conversations apart."""
        digests = tuple(block.digest for block in blocks)
        earlier = self._last.get((caller, opening), ())
        bill = self._bills.get(caller, Bill())
        self._last[caller, opening] = digests
        self._bills[caller] = Bill(
            requests=bill.requests + 1,
            input=bill.input.plus(charge),
            output_tokens=bill.output_tokens + output_tokens,
            prefix_breaks=bill.prefix_breaks + (not is_continued(earlier, digests)),
        )

    def bill(self, caller: str) -> Bill:
        """Return a caller's bill; zero for one never seen."""
        return self._bills.get(caller, Bill())
