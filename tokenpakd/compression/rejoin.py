"""Columns and rows back to the objects they were made of, and the words both directions share.

Rules of this file:
- An object that has `_cols` is a table; its last key says what it was, `_rows`, `_groups`, `_entries` or `_lines`.
- A string in place of a row is a row above: the first one whose first cell is what it names.
- Objects come out with their keys in the order they had.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TypeAlias, cast

import msgspec

from tokenpakd.compression.json_text import JsonObject, JsonValue

COLS, ALL, ALL_AT = "_cols", "_all", "_all_at"
ROWS, GROUPS, ENTRIES, LINES, KEY = "_rows", "_groups", "_entries", "_lines", "_key"
SAME_START, SAME_END = "[same as ", " above]"

_CONTAINERS = frozenset((dict, list))
_ENCODE = msgspec.json.encode
_MAX_NAME_CHARS = 40

Header: TypeAlias = str | dict[str, list["Header"]]
Row: TypeAlias = list[JsonValue]


def restored(value: JsonValue) -> JsonValue:
    """Return a value with the objects that its tables were made of; raises what a wrong table makes it raise."""
    if type(value) is list:
        return _cells_restored(value)
    if type(value) is not dict:
        return value
    if COLS not in value:
        return dict(zip(value, _cells_restored(list(value.values())), strict=True))
    name = next(reversed(value))
    rows = cast(list[JsonValue], value[name])
    groups = cast(list[list[JsonValue]], rows) if name == GROUPS else [rows]
    titles = [*cast(list[Header], value[COLS])]
    full = _with_repeats(chain.from_iterable(groups))
    if ALL not in value and _is_flat(titles, full):
        keys = cast(list[str], titles)
        objects: list[JsonValue] = [dict(zip(keys, row, strict=True)) for row in full]
    else:
        objects = _rejoined_with(titles, full, value)
    if name == GROUPS:
        return dealt(objects, groups)
    if name != ENTRIES:
        return objects
    return {cast(str, entry.pop(KEY)): entry for entry in cast(list[JsonObject], objects)}


def _is_flat(titles: list[Header], rows: list[Row]) -> bool:
    """Return whether the rows are the objects' values as they are."""
    if set(map(type, titles)) != {str} or "." in "".join(cast(list[str], titles)):
        return False
    return _CONTAINERS.isdisjoint(map(type, chain.from_iterable(rows)))


def _rejoined_with(titles: list[Header], full: list[Row], value: JsonObject) -> list[JsonValue]:
    columns = _down(full, len(titles))
    constants = cast(JsonObject, value.get(ALL, {}))
    for place, title in zip(cast(list[int], value.get(ALL_AT, [])), constants, strict=True):
        titles.insert(place, title)
        columns.insert(place, [constants[title]] * len(full))
    return _rejoined(titles, columns, len(full))


def gives_back(short: JsonValue, value: JsonValue) -> bool:
    """Return whether all that stands in `short` in place of something in `value` gives it back, byte for byte."""
    if value is short:
        return True
    if type(short) is dict and COLS in short:
        return _ENCODE(restored(short)) == _ENCODE(value)
    if type(short) is dict and type(value) is dict:
        others = [pair for pair in zip(short.values(), value.values(), strict=False) if pair[0] is not pair[1]]
        return [*short] == [*value] and all(gives_back(*pair) for pair in others)
    if type(short) is list and type(value) is list:
        return len(short) == len(value) and all(map(gives_back, short, value))
    return False


def _cells_restored(cells: list[JsonValue]) -> list[JsonValue]:
    if _CONTAINERS.isdisjoint(map(type, cells)):
        return cells
    return [restored(cell) if type(cell) is dict or type(cell) is list else cell for cell in cells]


def _with_repeats(rows: Iterable[JsonValue]) -> list[Row]:
    above: dict[str | None, Row] = {}
    found: list[Row] = []
    rows = [*rows]
    if str not in set(map(type, rows)):
        return cast(list[Row], rows)
    for row in rows:
        whole = above[row[len(SAME_START) : -len(SAME_END)]] if type(row) is str else cast(Row, row)
        above.setdefault(row_name(whole), whole)
        found.append(whole)
    return found


def _down(rows: list[Row], count: int) -> list[Row]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(count)]


def _rejoined(titles: Sequence[Header], columns: list[Row], count: int) -> list[JsonValue]:
    """Return the objects that these columns were made of; titles with the same first step are one key's."""
    keys: list[str] = []
    values: list[Row] = []
    place = 0
    while place < len(titles):
        title = titles[place]
        if type(title) is str and "." not in title:
            keys.append(title)
            values.append(_cells_restored(columns[place]))
            place += 1
            continue
        key, dot, _ = _title(title).partition(".")
        end = place + 1
        if dot:
            inside = f"{key}."
            while end < len(titles) and _title(titles[end]).startswith(inside):
                end += 1
            values.append(_rejoined([_below(title) for title in titles[place:end]], columns[place:end], count))
        else:
            values.append(_column_restored(titles[place], columns[place]))
        keys.append(key)
        place = end
    return [dict(zip(keys, row, strict=True)) for row in zip(*values, strict=True)]


def _column_restored(title: Header, cells: Row) -> Row:
    if type(title) is str:
        return _cells_restored(cells)
    (inner,) = cast(dict[str, list[Header]], title).values()
    lists = cast(list[list[JsonValue]], cells)
    rows = cast(list[Row], list(chain.from_iterable(lists)))
    return dealt(_rejoined(inner, _down(rows, len(inner)), len(rows)), lists)


def _title(title: Header) -> str:
    return title if type(title) is str else next(iter(title))


def _below(title: Header) -> Header:
    if type(title) is str:
        return title.partition(".")[2]
    ((name, inner),) = cast(dict[str, list[Header]], title).items()
    return {name.partition(".")[2]: inner}


def dealt(rows: list[JsonValue], like: Sequence[list[JsonValue]]) -> list[JsonValue]:
    """Return the rows as lists of the lengths that others have."""
    found: list[JsonValue] = []
    start = 0
    for group in like:
        found.append(rows[start : start + len(group)])
        start += len(group)
    return found


def row_name(row: JsonValue) -> str | None:
    """Return what a row is known by: its first cell, a short string or a number; None where that tells nothing."""
    first = row[0] if type(row) is list and row else None
    if type(first) is str:
        return first if 0 < len(first) <= _MAX_NAME_CHARS else None
    return str(first) if type(first) is int else None


def begin_apart(rows: list[Row]) -> bool:
    """Return whether no two rows go by one name."""
    kinds = {type(row[0]) if row else None for row in rows}
    if kinds in ({str}, {int}):
        return len({cast(str | int, row[0]) for row in rows}) == len(rows)
    return len(set(map(row_name, rows))) == len(rows)
