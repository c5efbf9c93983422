from collections.abc import Callable

import pytest

from tokenpakd.exchange.row import CloseRow, OpenRow, Pin, RoomTrace
from tokenpakd.storage import rows

Opened = Callable[..., OpenRow]
Closed = Callable[..., CloseRow]


def test_every_placeholder_has_its_value(opened: Opened, closed: Closed) -> None:
    assert len(rows.open_values(opened())) == rows.INSERT_OPEN.count("?") == rows.OPEN_COLUMNS.count(",") + 1
    columns = (rows.OPEN_COLUMNS + "," + rows.CLOSE_COLUMNS).count(",") + 1
    for row in (closed(opened()), closed(opened(), usage=None, rooms=())):
        assert len(rows.closed_values(row)) == rows.INSERT_CLOSED.count("?") == columns
    pin = Pin(conversation="c", mode="m", epoch=1, created_unix_ms=2)
    assert len(rows.pin_values(pin)) == rows.INSERT_PIN.count("?")


def test_every_field_of_a_row_has_its_column(opened: Opened) -> None:
    names = {name.strip() for name in (rows.OPEN_COLUMNS + "," + rows.CLOSE_COLUMNS).split(",")}
    assert set(OpenRow.__struct_fields__) <= names
    assert set(CloseRow.__struct_fields__) - {"opened", "usage"} <= names


def test_rooms_are_json_whatever_a_room_says(opened: Opened, closed: Closed) -> None:
    odd = closed(opened(), rooms=(RoomTrace("parse", 0.5, "lone \ud800"),))
    assert rows.closed_values(odd)[-1] == '[["parse",0.5,"lone ?"]]'


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("fine é", "fine é"),
        ("\udcff", "?"),
        (2**63, None),
        (-(2**63), -(2**63)),
        (1.5, 1.5),
        (None, None),
        (True, True),
    ],
)
def test_what_no_database_takes_is_replaced(value: rows.Value, kept: rows.Value) -> None:
    assert rows.sayable((value,)) == (kept,)
