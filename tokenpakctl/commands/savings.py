"""What was removed, what the provider measured, what that saved: three sets of figures that are never added up."""

from __future__ import annotations

import time

from tokenpakctl.holdout import comparison
from tokenpakctl.render import View, clock, count, counted, percent, short, table
from tokenpakctl.session import OK, Session
from tokenpakctl.since import since_unix_ms
from tokenpakctl.units import UNIT, USAGE_FIELDS, signed, signed_percent, signed_units

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

_BY = ("model", "day", "arm", "repo")
_CAUSES = ("client", "us", "ttl", "model", "tools")
_HEAD = ("requests", "first seen", "repeated", "measured in", "hit rate", "out", "simulated")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", metavar="WHEN", help="from when on: 24h, 7d, or a date such as 2026-01-31")
    parser.add_argument("--by", choices=_BY, help="a line for each as well (repositories are not recorded yet)")


def run(options: argparse.Namespace, session: Session) -> int:
    since = None if options.since is None else since_unix_ms(options.since, now_s=time.time())
    result = session.call("savings", since_unix_ms=since, by=options.by)
    session.emit(result, report(View(result)))
    return OK


def report(savings: View) -> str:
    """Yield the three sets, the comparison of the arms where there is one, and the groups."""
    total = savings.view("total")
    since = savings.number("since_unix_ms")
    requests, conversations = total.number("requests"), total.number("conversations")
    if not requests:
        return "nothing on record" + (f" since {clock(since)}" if since else "") + ": see `tokenpakctl recent`"
    period = f"since {clock(since)}" if since else "all on record"
    parts = [
        f"{period} · {counted(requests, 'request')} · {counted(conversations, 'conversation')}",
        _section("removed by compression, in tokens counted here (estimated)", _removed(total)),
        _section("measured by the provider, in tokens", _measured(total)),
        _section(f"saved, simulated against the provider's cache ({UNIT})", _simulated(savings)),
    ]
    holdout = savings.view("holdout")
    if holdout.fields:
        parts.append(comparison(holdout))
    groups = savings.views("groups")
    if groups:
        parts.append(_grouped(savings, groups))
    return "\n\n".join(parts)


def _section(title: str, rows: list[tuple[str, str, str]]) -> str:
    name, amount = (max(len(row[column]) for row in rows) for column in (0, 1))
    lines = [f"  {row[0].ljust(name)}  {row[1].rjust(amount)}  {row[2]}".rstrip() for row in rows]
    return "\n".join([title, *lines])


def _removed(total: View) -> list[tuple[str, str, str]]:
    removed, would = total.view("removed"), total.view("would_save")
    rows = [
        ("first seen", count(removed.number("first_seen")), "when their text would have been sent for the first time"),
        ("repeated", count(removed.number("known")), "again, in requests that repeat that text: mostly cache reads"),
    ]
    tokens = would.number("tokens")
    if tokens is not None:
        untouched = f"not removed, in {counted(would.number('requests'), 'request')} sent as they came"
        rows.append(("would have been", count(tokens), untouched))
    return rows


def _measured(total: View) -> list[tuple[str, str, str]]:
    measured = total.view("measured")
    rows = [(name, count(measured.number(field)), "") for field, name in USAGE_FIELDS]
    rows.append(("hit rate", _hit_rate(measured), "cache reads of all input"))
    requests, told = total.number("requests") or 0, measured.number("requests") or 0
    if told < requests:
        rows.append(("not measured", count(requests - told), "requests for which the provider reported no usage"))
    return rows


def _hit_rate(measured: View) -> str:
    parts = [measured.number(field) for field, _ in USAGE_FIELDS[:4]]
    return percent(measured.number("cache_read"), sum(part for part in parts if part is not None))


def _simulated(savings: View) -> list[tuple[str, str, str]]:
    total = savings.view("total")
    simulated, would = total.view("simulated"), total.view("would_save")
    units, share, raw = simulated.number("milli_units"), savings.number("share"), savings.number("raw_milli_units")
    rows = [("saved", "–" if units is None else signed(units), "units" if units is not None else "nothing simulated")]
    if units is not None and units < 0:
        rows[0] = ("saved", signed(units), "units: a loss")
    if share is not None and raw is not None:
        bill = f"of {short(raw / 1000)} units, the input bill without compression (as measured, and what was saved)"
        rows.append(("share", signed_percent(share), bill))
    without = simulated.number("requests_unknown")
    if without:
        rows.append(("not simulated", count(without), "requests"))
    would_units = would.number("milli_units")
    if would_units is not None:
        rows.append(("would have been", signed(would_units), "units, in requests sent as they came"))
    breaks = total.view("prefix_breaks")
    if any(breaks.number(cause) for cause in ("none", *_CAUSES)):
        told = [f"{cause} {count(breaks.number(cause))}" for cause in _CAUSES if breaks.number(cause)]
        broken = f"requests; broken by: {' · '.join(told)}" if told else "requests, and broken by none"
        rows.append(("prefix kept", count(breaks.number("none") or 0), broken))
    rows.append(("confidence", "", savings.view("confidence").text("simulated", "simulated")))
    return rows


def _grouped(savings: View, groups: list[View]) -> str:
    rows = []
    for group in groups:
        removed, measured = group.view("removed"), group.view("measured")
        units = group.view("simulated").number("milli_units")
        inputs = [measured.number(field) for field, _ in USAGE_FIELDS[:4]]
        known = [value for value in inputs if value is not None]
        rows.append(
            [
                group.text("key"),
                count(group.number("requests")),
                short(removed.number("first_seen")),
                short(removed.number("known")),
                short(sum(known) if known else None),
                _hit_rate(measured),
                short(measured.number("output")),
                "–" if units is None else signed_units(units),
            ]
        )
    text = table((savings.text("by"), *_HEAD), rows, right=range(1, len(_HEAD) + 1))
    left_out = savings.number("groups_left_out")
    return text + (f"\n{count(left_out)} more are in the sums above only" if left_out else "")
