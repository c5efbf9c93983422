"""JSON results without blanks, lists of like objects as columns and rows: the keys are said once.

`[{"id":1,"at":{"x":0,"y":2}},{"id":2,"at":{"x":5,"y":7}}]` becomes
`{"_cols":["id","at.x","at.y"],"_rows":[[1,0,2],[2,5,7]]}`.

Rules of this file:
- It stays JSON, and `restore` gives back the document: keys in their order, every number in its spelling.
- Rows stand under the name of what they were: `_rows` a list of objects, `_groups` a list of such lists, `_entries` an
  object of objects (its keys are the first column), `_lines` objects one to a line.
- A column that is the same in all rows stands once in `_all`; `_all_at` says where it belongs among the others. Objects
  in a column become columns with a dot in the name, lists of like objects a column `{name: [its own columns]}`.
- A row that stands above already is `"[same as X above]"`, X being its first cell, where only one row above begins so.
- A document that uses the name `_cols` itself is left alone; so are code and configuration: they stay as in files.
"""

import operator
from collections.abc import Sequence
from itertools import chain
from typing import TypeAlias, cast

import msgspec

from tokenpakd.compression import json_text
from tokenpakd.compression.json_text import Document, JsonObject, JsonValue, JsonWhole
from tokenpakd.compression.rejoin import (
    ALL,
    ALL_AT,
    COLS,
    ENTRIES,
    GROUPS,
    KEY,
    LINES,
    ROWS,
    SAME_END,
    SAME_START,
    Header,
    Row,
    begin_apart,
    dealt,
    gives_back,
    restored,
    row_name,
)
from tokenpakd.compression.segments import Segment
from tokenpakd.tokens.estimate import estimate

READ = frozenset((Segment.JSON, Segment.UNKNOWN, Segment.LOG, Segment.LISTING, Segment.SEARCH, Segment.TEST))
"""Output of tools, whatever it is taken for at sight: whether it is JSON is seen by reading it."""

_NOTATION = f'"{COLS}"'

_MIN_GAIN_TOKENS = 2
# Bytes where tokens follow from them: what goes is keys with their marks, at most 4 bytes to a token.
_MIN_TABLE_GAIN_BYTES = 16
_MIN_TABLE_GAIN_PERCENT = 5
_MIN_ENTRIES = 2
_MIN_CONSTANT_GAIN_BYTES = 12
# `{"_cols":…,"_rows":…}` around them, less the marks of an object.
_PAIR_BYTES = 21
_MIN_CONSTANT_ROWS = 3
_ALL_BYTES = 32
_PLACE_BYTES = 4
_MIN_ROW_TOKENS = 24
_MAX_FOLDED_DEPTH = 10

_ENCODE = msgspec.json.encode
_CONTAINERS = frozenset((dict, list))

_Column: TypeAlias = tuple[Header, Sequence[JsonValue]]


def shorten(text: str, segment: Segment) -> str | None:
    """Return a JSON result in fewer tokens; None where it is no plain JSON, a file's text, or not clearly shorter."""
    if segment not in READ:
        return None
    document = json_text.read(text)
    return None if document is None else shortened(document, text)


def shortened(document: Document, text: str) -> str | None:
    """Return a document that was read from `text` in fewer tokens; None where it does not get clearly shorter."""
    try:
        plain = json_text.written(document)
        if _NOTATION in plain:
            return None
        if not document.is_lines and "[{" not in plain and plain.count(":{") < _MIN_ENTRIES:
            short = plain  # no two objects stand side by side
        else:
            table = folded(document)
            short = json_text.written(table)
            whole = _unfolded(table) if document.is_lines else None
            if json_text.written(whole) != plain if whole else not gives_back(table.value, document.value):
                return None
    except ValueError:
        return None
    return short if is_clearly_shorter(short, text) else None


def is_clearly_shorter(short: str, text: str) -> bool:
    """Return whether sending `short` instead of `text` pays, in characters and in estimated tokens."""
    return len(short) < len(text) and estimate(short) + _MIN_GAIN_TOKENS <= estimate(text)


def restore(text: str) -> str:
    """Return the document that `shorten` made `text` from, without blanks; `text` itself where it is no JSON."""
    document = json_text.read(text, json_text.MAX_DEPTH_SENT)
    return text if document is None else json_text.written(_unfolded(document))


def _unfolded(document: Document) -> Document:
    value = document.value
    is_lines = document.is_lines or (type(value) is dict and COLS in value and LINES in value)
    return Document(document.before, cast(JsonWhole, restored(value)), document.after, is_lines)


def folded(document: Document) -> Document:
    """Return a document with columns wherever they are clearly shorter."""
    value = document.value
    if not document.is_lines:
        whole = cast(JsonWhole, _folded(value, _MAX_FOLDED_DEPTH))
        return document if whole is value else Document(document.before, whole, document.after)
    rows = _objects(cast(list[JsonValue], value))
    table = _shorter(_table(rows, LINES, _MAX_FOLDED_DEPTH), value) if rows is not None else None
    if table is not None:
        return Document(document.before, table, document.after)
    lines = [_folded(line, _MAX_FOLDED_DEPTH) for line in cast(list[JsonValue], value)]
    return Document(document.before, lines, document.after, is_lines=True)


def _folded(value: JsonValue, depth: int) -> JsonValue:
    if depth == 0 or not value:
        return value
    if type(value) is dict:
        if _CONTAINERS.isdisjoint(map(type, value.values())):
            return value
        first = next(iter(value.values()))
        is_entries = type(first) is dict and len(value) > 1 and KEY not in first
        rows = _objects(list(value.values())) if is_entries else None
        table = _shorter(_entries(value, rows, depth - 1), value) if rows is not None else None
        if table is not None:
            return table
        below = list(value.values())
        cells = _cells(below, depth - 1)
        return value if cells is below else dict(zip(value, cells, strict=True))
    if type(value) is list:
        kind = type(value[0])
        rows = _objects(value) if kind is dict and len(value) > 1 else None
        if rows is not None and len(rows) == 2 and _are_plain_and_differ(rows[0], rows[1]):
            return _pair(rows[0], rows[1], value)
        wide = _groups(value, depth - 1) if kind is list else rows and _table(rows, ROWS, depth - 1)
        table = _shorter(wide, value) if wide else None
        return cast(list[JsonValue], _cells(value, depth - 1)) if table is None else table
    return value


def _cells(values: Sequence[JsonValue], depth: int) -> Sequence[JsonValue]:
    """Return the values with columns in them; as they came where none has any."""
    if depth == 0 or _CONTAINERS.isdisjoint(map(type, values)):
        return values
    found = [_folded(value, depth) if type(value) is dict or type(value) is list else value for value in values]
    return values if all(map(operator.is_, found, values)) else found


def _objects(values: Sequence[JsonValue]) -> list[JsonObject] | None:
    """Return the values where all are objects with the same keys in the same order, none of them with a dot."""
    first = values[0] if values else None
    if type(first) is not dict or not first or "." in "".join(first):
        return None
    last = values[-1]
    if type(last) is not dict or last.keys() != first.keys():
        return None
    if len(values) == 2:
        return [first, last] if tuple(first) == tuple(last) else None
    if set(map(type, values)) != {dict} or len(set(map(tuple, cast(Sequence[JsonObject], values)))) != 1:
        return None
    return cast(list[JsonObject], list(values))


def _shorter(table: JsonObject, value: JsonValue) -> JsonObject | None:
    before = len(_ENCODE(value))
    gain = before - len(_ENCODE(table))
    return table if gain >= _MIN_TABLE_GAIN_BYTES and gain * 100 >= before * _MIN_TABLE_GAIN_PERCENT else None


def _table(rows: list[JsonObject], name: str, depth: int) -> JsonObject:
    columns: list[_Column] = []
    for key, cells in zip(rows[0], zip(*map(dict.values, rows), strict=True), strict=True):
        if _CONTAINERS.isdisjoint(map(type, cells)):
            columns.append((key, cells))
        else:
            columns += _columns(key, cells, depth)
    table, columns = _hoisted(columns, len(rows))
    return {**table, name: _without_repeats(_across(columns, len(rows)))}


def _are_plain_and_differ(first: JsonObject, second: JsonObject) -> bool:
    return _CONTAINERS.isdisjoint(map(type, chain(first.values(), second.values()))) and first != second


def _pair(first: JsonObject, second: JsonObject, value: list[JsonValue]) -> JsonValue:
    """Return the table of two objects, where nothing can be hoisted or folded; its gain is known beforehand."""
    keys: list[JsonValue] = [*first]
    gain = len(_ENCODE(keys)) - _PAIR_BYTES
    if gain < _MIN_TABLE_GAIN_BYTES or gain * 100 < len(_ENCODE(value)) * _MIN_TABLE_GAIN_PERCENT:
        return value
    return {COLS: keys, ROWS: [[*first.values()], [*second.values()]]}


def _entries(value: JsonObject, rows: list[JsonObject], depth: int) -> JsonObject:
    return _table([{KEY: key, **row} for key, row in zip(value, rows, strict=True)], ENTRIES, depth)


def _groups(value: list[JsonValue], depth: int) -> JsonObject | None:
    if set(map(type, value)) != {list}:
        return None
    groups = cast(list[list[JsonValue]], value)
    flat = list(chain.from_iterable(groups))
    rows = _objects(flat)
    if rows is None or len(rows) < 2:
        return None
    table = _table(rows, GROUPS, depth)
    table[GROUPS] = dealt(cast(list[JsonValue], table[GROUPS]), groups)
    return table


def _columns(name: str, cells: Sequence[JsonValue], depth: int) -> list[_Column]:
    """Return the columns that one key of all rows becomes: several where its values are objects of one kind."""
    kind = type(cells[0])
    if kind is not dict and kind is not list:
        return [(name, _cells(cells, depth))]
    objects = _objects(cells)
    if objects is not None:
        below = zip(objects[0], zip(*map(dict.values, objects), strict=True), strict=True)
        return list(chain.from_iterable(_columns(f"{name}.{key}", part, depth) for key, part in below))
    if depth > 0 and set(map(type, cells)) == {list}:
        lists = cast(Sequence[list[JsonValue]], cells)
        rows = _objects(list(chain.from_iterable(lists)))
        if rows is not None and len(rows) > 1:
            inner = list(chain.from_iterable(_columns(key, [row[key] for row in rows], depth - 1) for key in rows[0]))
            header: list[Header] = [title for title, _ in inner]
            return [({name: header}, dealt(cast(list[JsonValue], _across(inner, len(rows))), lists))]
    return [(name, _cells(cells, depth))]


def _across(columns: list[_Column], count: int) -> list[Row]:
    if not columns:
        return [[] for _ in range(count)]
    return [*map(list, zip(*[cells for _, cells in columns], strict=True))]


def _hoisted(columns: list[_Column], count: int) -> tuple[JsonObject, list[_Column]]:
    """Return the head of a table and the columns that its rows hold."""
    if count < _MIN_CONSTANT_ROWS:
        return {COLS: cast(list[JsonValue], [title for title, _ in columns])}, columns
    constants: JsonObject = {}
    places: list[JsonValue] = []
    left = columns[:1]  # what a row is known by stays in it
    gain = 0
    for place, (title, cells) in enumerate(columns[1:], 1):
        saved = (count - 1) * len(_ENCODE(cells[0])) if type(title) is str and _is_constant(cells) else 0
        if type(title) is str and saved >= _MIN_CONSTANT_GAIN_BYTES:
            gain += saved
            constants[title] = cells[0]
            places.append(place)
        else:
            left.append((title, cells))
    if gain < _ALL_BYTES + _PLACE_BYTES * len(places):
        return {COLS: cast(list[JsonValue], [title for title, _ in columns])}, columns
    titles = cast(list[JsonValue], [title for title, _ in left])
    return {ALL: constants, ALL_AT: places, COLS: titles}, left


def _is_constant(cells: Sequence[JsonValue]) -> bool:
    first = cells[0]
    if type(first) is dict or type(first) is list or cells[-1] != first:
        return False
    # Types first: true equals 1.
    return len(set(map(type, cells))) == 1 and cells.count(first) == len(cells)


def _without_repeats(rows: list[Row]) -> list[JsonValue]:
    """Return the rows with a pointer in place of each that stands above already."""
    if begin_apart(rows):
        return [*rows]
    above: dict[str, str] = {}
    blurred: set[str] = set()
    found: list[JsonValue] = []
    for row in rows:
        name, text = row_name(row), json_text.write(row)
        if name is None or above.setdefault(name, text) is text:
            found.append(row)
        elif above[name] != text or name in blurred:
            blurred.add(name)
            found.append(row)
        elif estimate(text) < _MIN_ROW_TOKENS + estimate(name):
            found.append(row)
        else:
            found.append(f"{SAME_START}{name}{SAME_END}")
    return found
