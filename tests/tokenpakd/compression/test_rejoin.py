"""Tables come back as the objects they were made of."""

import pytest

from tokenpakd.compression.json_text import JsonValue
from tokenpakd.compression.rejoin import dealt, restored, row_name


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"_cols": ["a", "b.c", "b.d"], "_rows": [[1, 2, 3]]}, [{"a": 1, "b": {"c": 2, "d": 3}}]),
        (
            {"_all": {"b": 9, "d.e": 8}, "_all_at": [0, 2], "_cols": ["a", "c"], "_rows": [[1, 2]]},
            [{"b": 9, "a": 1, "d": {"e": 8}, "c": 2}],
        ),
        ({"_cols": ["a", {"b.c": ["d"]}], "_rows": [[1, [[2], [3]]]]}, [{"a": 1, "b": {"c": [{"d": 2}, {"d": 3}]}}]),
        (
            {"_cols": ["a", "b"], "_groups": [[["x", 1]], [], ["[same as x above]"]]},
            [[{"a": "x", "b": 1}], [], [{"a": "x", "b": 1}]],
        ),
        ({"_cols": ["_key", "b"], "_entries": [["x", 1]]}, {"x": {"b": 1}}),
        ({"_cols": ["a"], "_rows": [[{"_cols": ["b"], "_rows": [[1]]}]]}, [{"a": [{"b": 1}]}]),
        ({"n": [{"_cols": ["a"], "_rows": []}]}, {"n": [[]]}),
        ([1, {"a": "[same as x above]"}], [1, {"a": "[same as x above]"}]),
    ],
)
def test_table_comes_back(table: JsonValue, expected: JsonValue) -> None:
    assert restored(table) == expected


def test_row_is_known_by_a_short_string_or_a_number_only() -> None:
    rows: list[JsonValue] = [["x"], [7], [""], ["y" * 41], [True], [None], [], "x"]
    assert [row_name(row) for row in rows] == ["x", "7", None, None, None, None, None, None]


def test_rows_are_dealt_as_others_are() -> None:
    assert dealt([1, 2, 3], [["a"], [], ["b", "c"]]) == [[1], [], [2, 3]]
