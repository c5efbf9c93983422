"""The savings table: what each arm was billed, and the difference, signed. Pure."""

import statistics
from collections.abc import Sequence

import msgspec

from tokenpakd.demo.ledger import Bill
from tokenpakd.demo.replay import Exchange


class ArmResult(msgspec.Struct, frozen=True, kw_only=True):
    """One arm: the provider's own bill, and the exchanges as the client saw them."""

    bill: Bill
    exchanges: Sequence[Exchange]


def savings_table(direct: ArmResult, uncompressed: ArmResult, hybrid: ArmResult) -> str:
    """Return the table of the two arms through the daemon, with what they cost against each other.

    `direct` went to the provider without the daemon: it is the yardstick for latency and for what the client sent.
    """
    client_sent = direct.bill.input.tokens
    arms = (uncompressed, hybrid)
    rows: list[tuple[str, ...]] = [("", "uncompressed", "hybrid")]
    rows.append(("requests", *(f"{arm.bill.requests:,}" for arm in arms)))
    rows.append(("input tokens the client sent", *(f"{client_sent:,}" for _ in arms)))
    rows.append(("input tokens sent to the provider", *(f"{arm.bill.input.tokens:,}" for arm in arms)))
    rows.append(("removed", *(_removed(client_sent, arm.bill.input.tokens) for arm in arms)))
    rows.append(("  billed as cache reads     (x 0.1)", *(f"{arm.bill.input.read:,}" for arm in arms)))
    rows.append(("  billed as cache writes    (x 1.25)", *(f"{arm.bill.input.write_5m:,}" for arm in arms)))
    rows.append(("  billed as uncached input  (x 1)", *(f"{arm.bill.input.plain:,}" for arm in arms)))
    rows.append(("input bill in units", *(f"{arm.bill.units:,.1f}" for arm in arms)))
    rows.append(("  against uncompressed", "", _change(uncompressed.bill.units, hybrid.bill.units)))
    rows.append(("output tokens", *(f"{arm.bill.output_tokens:,}" for arm in arms)))
    rows.append(("prefix breaks", *(f"{arm.bill.prefix_breaks:,}" for arm in arms)))
    added = (added_ms(direct.exchanges, arm.exchanges) for arm in arms)
    rows.append(("median added latency", *(f"{value:+.2f} ms" for value in added)))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [f"{row[0]:<{widths[0]}}   {row[1]:>{widths[1]}}   {row[2]:>{widths[2]}}".rstrip() for row in rows]
    rule = "-" * (sum(widths) + 6)
    return "\n".join([lines[0], rule, *lines[1:]])


def added_ms(direct: Sequence[Exchange], through: Sequence[Exchange]) -> float:
    """Return the median of what each request took longer than its twin that went straight to the provider."""
    pairs = zip(direct, through, strict=True)
    return statistics.median((ours.duration_s - theirs.duration_s) * 1000 for theirs, ours in pairs)


def _removed(before: int, after: int) -> str:
    share = 100 * (before - after) / before if before else 0.0
    return f"{before - after:,} ({share:.1f} %)"


def _change(before: float, after: float) -> str:
    share = 100 * (after - before) / before if before else 0.0
    return f"{after - before:+,.1f} ({share:+.1f} %)"
