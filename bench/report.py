"""The table: medians over rounds, ratios within a round, each figure beside its target."""

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Record:
    """One window: what was run (`case`), which way it went, and its figures."""

    case: str
    way: str
    figures: dict[str, float]


@dataclass(frozen=True)
class Line:
    """One line of the table. `holds` is None where there is no target."""

    measure: str
    direct: float | None
    strict: float | None
    hybrid: float | None
    target: str
    holds: bool | None
    digits: int = 2


ADDED_P50_MS = {"2k": 0.8, "2k-fresh": None, "100k": 1.3, "1m": 3.5}
HYBRID_OVER_STRICT_1M_MS = 2.0
HYBRID_OVER_STRICT_NEW_MS = 6.0


class Table:
    """Looks up series of figures and turns them into lines."""

    def __init__(self, records: list[Record]) -> None:
        self.records = records
        self.lines: list[Line] = []

    def series(self, case: str, way: str, figure: str) -> list[float]:
        return [
            record.figures[figure]
            for record in self.records
            if (record.case, record.way) == (case, way) and figure in record.figures
        ]

    def middle(self, case: str, way: str, figure: str, scale: float = 1.0) -> float | None:
        values = self.series(case, way, figure)
        return median(values) * scale if values else None

    def added(self, case: str, way: str, figure: str, scale: float = 1.0) -> float | None:
        """Median over rounds of (through - direct) within the round."""
        pairs = zip(self.series(case, way, figure), self.series(case, "direct", figure), strict=False)
        values = [through - direct for through, direct in pairs]
        return median(values) * scale if values else None

    def put(
        self,
        measure: str,
        strict: float | None,
        *,
        direct: float | None = None,
        hybrid: float | None = None,
        at_most: float | None = None,
        at_least: float | None = None,
        digits: int = 2,
    ) -> None:
        holds, target = None, ""
        if at_most is not None:
            target, holds = f"<= {at_most:,g}", strict is not None and strict <= at_most
        if at_least is not None:
            target, holds = f">= {at_least:,g}", strict is not None and strict >= at_least
        self.lines.append(Line(measure, direct, strict, hybrid, target, holds, digits))

    def put_ways(
        self,
        measure: str,
        of: Callable[[str, str, str, float], float | None],
        case: str,
        figure: str,
        scale: float = 1.0,
        **target: float | None,
    ) -> None:
        """One line with strict and hybrid from `of`, and the plain median of direct where there is one."""
        digits = int(target.pop("digits", 2) or 0)
        self.put(
            measure,
            of(case, "strict", figure, scale),
            direct=self.middle(case, "direct", figure, scale),
            hybrid=of(case, "hybrid", figure, scale),
            digits=digits,
            **target,
        )


def summarise(records: list[Record]) -> list[Line]:
    """Turn windows into the lines of the table."""
    table = Table(records)
    for body, limit_ms in ADDED_P50_MS.items():
        case = f"{body} c=1"
        table.put_ways(f"{case}: added p50, ms", table.added, case, "p50_us", 1e-3, at_most=limit_ms)
        table.put_ways(f"{case}: added p99, ms", table.added, case, "p99_us", 1e-3)
    slower = [table.added("1m c=1", way, "p50_us", 1e-3) for way in ("hybrid", "strict")]
    if slower[0] is not None and slower[1] is not None:
        table.put("1m c=1: hybrid over strict, p50, ms", slower[0] - slower[1], at_most=HYBRID_OVER_STRICT_1M_MS)
    newer = [table.added("1m-new c=1", way, "p50_us", 1e-3) for way in ("hybrid", "strict")]
    if newer[0] is not None and newer[1] is not None:
        measure = "1m c=1, 10 KB of it new: hybrid over strict, p50, ms"
        table.put(measure, newer[0] - newer[1], at_most=HYBRID_OVER_STRICT_NEW_MS)
    for body in ("2k", "100k", "1m"):
        for clients in (1, 16, 64):
            case = f"{body} c={clients}"
            floor = 1200 if case == "2k c=64" else None
            table.put_ways(f"{case}: requests/s", table.middle, case, "rate", at_least=floor, digits=0)
    for body, clients, limit_ms in (("2k", 64, 0.9), ("2k", 1, None), ("2k-fresh", 1, None), ("100k", 64, None)):
        case = f"{body} c={clients}"
        table.put_ways(f"{case}: CPU per request, ms", table.middle, case, "cpu_us", 1e-3, at_most=limit_ms)
    _streams(table)
    _process(table)
    failed = sum(record.figures.get("failed", 0) for record in records)
    table.put("requests that failed, all windows", failed, at_most=0, digits=0)
    return table.lines


def _streams(table: Table) -> None:
    one, many = "sse 5ms c=1", "sse 5ms c=64"
    table.put_ways("SSE c=1: added time to first byte, ms", table.added, one, "ttfb_us", 1e-3, at_most=3.5)
    table.put_ways("SSE c=1: added transit p50 per chunk, µs", table.added, one, "transit_p50_us", digits=0)
    table.put_ways("SSE c=64: added transit p50 per chunk, µs", table.added, many, "transit_p50_us", digits=0)
    table.put_ways("SSE c=64: transit p99, ms", table.middle, many, "transit_p99_us", 1e-3, at_most=15)
    table.put_ways("SSE c=1: CPU per chunk, µs", table.middle, one, "cpu_us", digits=0)
    table.put_ways("SSE c=64: CPU per chunk, µs", table.middle, many, "cpu_us", at_most=90, digits=0)
    table.put("SSE unpaced c=64: streams/s", table.middle("sse burst c=64", "strict", "streams_s"), digits=0)
    before, after = table.series("before burst", "strict", "rate"), table.series("after burst", "strict", "rate")
    ratios = [late / early for early, late in zip(before, after, strict=False)]
    table.put("c=1 rate after a 64-stream burst / before", median(ratios) if ratios else None, at_least=0.9)


def _process(table: Table) -> None:
    idle, after = table.middle("rss idle", "-", "mb"), table.middle("rss after", "-", "mb")
    table.put("data plane RSS idle, MB", idle, at_most=60, digits=0)
    table.put("data plane RSS after bodies up to 100 KB, MB", table.middle("rss to 100k", "-", "mb"), digits=0)
    table.put("data plane RSS after 1 MB bodies from 64 clients, MB", after, digits=0)
    table.put("data plane RSS after load / idle", after / idle if after and idle else None, at_most=1.3)
    table.put("launch -> first 200, s", table.middle("launch", "-", "s"), at_most=1.0)
    bare, status = table.middle("python -c pass", "-", "ms"), table.middle("tokenpakctl status", "-", "ms")
    table.put(
        "tokenpakctl status, whole process, ms (direct: python -c pass)", status, direct=bare, at_most=80, digits=0
    )


def render(lines: list[Line], client: str, rounds: int, seconds: int) -> str:
    """Lay the lines out as text."""
    width = max(len(line.measure) for line in lines)
    head = f"{'':<{width}} {'direct':>10} {'strict':>10} {'hybrid':>10}  target"
    where = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    rows = [
        f"{where}; load by {client}; median of {rounds} rounds of {seconds} s windows; targets are for strict",
        "",
        head,
    ]
    for line in lines:
        figures = " ".join(_figure(value, line.digits) for value in (line.direct, line.strict, line.hybrid))
        verdict = {None: "", True: "ok", False: "MISSED"}[line.holds]
        rows.append(f"{line.measure:<{width}} {figures}  {line.target:<9} {verdict}".rstrip())
    return "\n".join(rows)


def _figure(value: float | None, digits: int) -> str:
    return f"{'-' if value is None else f'{value:,.{digits}f}':>10}"
