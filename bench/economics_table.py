"""The figures of a run: what is written down of each, and one table for people."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure. `target` None: no line is drawn. `is_least`: the target is a lower bound.

    Rows of one `case` and `series` with short `what` stand in one line of the table.
    """

    case: str
    what: str
    value: float
    series: str = ""
    target: float | None = None
    is_least: bool = False
    note: str = ""
    digits: int = 4

    @property
    def passes(self) -> bool | None:
        if self.target is None:
            return None
        return self.value >= self.target if self.is_least else self.value <= self.target


def as_object(row: Row) -> dict[str, object]:
    """Return a row for programs."""
    return {**msgspec.to_builtins(row), "passes": row.passes}


def lines(rows: Iterable[Row]) -> Iterator[str]:
    """Yield the table as the rows come in: series side by side, single figures below each other."""
    for case, of_case in groupby(rows, key=lambda row: row.case):
        yield f"\n{case}"
        head: tuple[str, ...] = ()
        for series, group in groupby(of_case, key=lambda row: row.series):
            if not series:
                yield from map(_line, group)
                head = ()
                continue
            found = list(group)
            if head != (head := tuple(row.what for row in found)):
                yield "      " + " " * 24 + "".join(f"{name:>16}" for name in head)
                yield "      " + f"{'target':<24}" + "".join(f"{_target(row):>16}" for row in found)
            yield f"{_mark(found)}  {series:<24}" + "".join(_cell(row) for row in found)


def _line(row: Row) -> str:
    value = f"{row.value:.{row.digits}f}"
    return f"{_mark([row])}  {row.what:<48} {value:>10}  {_target(row):<10} {row.note}".rstrip()


def _cell(row: Row) -> str:
    return f"{row.value:>15.{row.digits}f}" + ("!" if row.passes is False else " ")


def _mark(rows: Sequence[Row]) -> str:
    said = {row.passes for row in rows}
    return "MISS" if False in said else "pass" if True in said else "    "


def _target(row: Row) -> str:
    return "" if row.target is None else f"{'>=' if row.is_least else '<='} {row.target:.{row.digits}f}"
