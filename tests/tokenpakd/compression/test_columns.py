"""JSON results lose their blanks and say keys once; every document comes back."""

import json
import time
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenpakd.compression import columns, json_text
from tokenpakd.compression.columns import READ, folded, restore, shorten
from tokenpakd.compression.json_text import JsonObject, JsonValue
from tokenpakd.compression.segments import Segment
from tokenpakd.tokens.estimate import estimate

LONG = "a value long enough to count"


def _plain(text: str) -> str:
    document = json_text.read(text)
    assert document is not None
    return json_text.written(document)


def _check(text: str) -> str | None:
    """Return what `shorten` makes of a text, all its promises kept."""
    short = shorten(text, Segment.JSON)
    assert shorten(text, Segment.JSON) == short
    if short is None:
        return None
    assert len(short) < len(text)
    assert estimate(short) < estimate(text)
    assert restore(short) == _plain(text)
    assert shorten(short, Segment.JSON) in (None, short)
    return short


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            [{"id": 1, "at": {"x": 0, "y": 2}}, {"id": 2, "at": {"x": 5, "y": 7}}, {"id": 3, "at": {"x": 6, "y": 8}}],
            '{"_cols":["id","at.x","at.y"],"_rows":[[1,0,2],[2,5,7],[3,6,8]]}',
        ),
        (
            {"found": [[{"name": "a", "length": 1}, {"name": "b", "length": 2}], [], [{"name": "c", "length": 3}] * 3]},
            '{"found":{"_cols":["name","length"],"_groups":[[["a",1],["b",2]],[],[["c",3],["c",3],["c",3]]]}}',
        ),
        (
            {key: {"name": key[0], "length": 1, "colour": "red"} for key in ("first", "other", "x.y")},
            (
                '{"_cols":["_key","name","length","colour"],'
                '"_entries":[["first","f",1,"red"],["other","o",1,"red"],["x.y","x",1,"red"]]}'
            ),
        ),
        (
            [{"id": n, "state": LONG, "parts": [{"key": n, "value": m} for m in range(n)]} for n in range(4)],
            '{"_all":{"state":"' + LONG + '"},"_all_at":[1],"_cols":["id",{"parts":["key","value"]}],'
            '"_rows":[[0,[]],[1,[[1,0]]],[2,[[2,0],[2,1]]],[3,[[3,0],[3,1],[3,2]]]]}',
        ),
        (
            [{"leg": leg, "from": LONG, "till": "12:00"} for leg in ("HAT1", "HAT2", "HAT1", "HAT1")],
            '{"_all":{"from":"' + LONG + '","till":"12:00"},"_all_at":[1,2],"_cols":["leg"],'
            '"_rows":[["HAT1"],["HAT2"],["HAT1"],["HAT1"]]}',
        ),
    ],
)
def test_like_objects_become_columns(value: object, expected: str) -> None:
    assert _check(json.dumps(value)) == expected


def test_row_that_stands_above_is_named() -> None:
    rows = [
        {"flight": "HAT1", "from": LONG, "till": f"{LONG} {LONG} {LONG}"},
        {"flight": "HAT2", "from": "elsewhere", "till": LONG},
        {"flight": "HAT1", "from": LONG, "till": f"{LONG} {LONG} {LONG}"},
    ]
    short = _check(json.dumps([rows[:2], rows[2:]]))
    assert short is not None
    assert short.endswith('["HAT2","elsewhere","' + LONG + '"]],["[same as HAT1 above]"]]}')


def test_name_of_two_rows_names_none() -> None:
    rows = [{"id": "x", "text": f"{LONG}, {LONG} {n}", "more": LONG[n:]} for n in (1, 2, 1, 2)]
    short = _check(json.dumps(rows))
    assert short is not None
    assert "same as" not in short


def test_a_number_and_a_string_that_look_alike_are_not_one_name() -> None:
    rows = [{"id": name, "text": f"{LONG}, {LONG}{end}"} for name, end in ((5, ""), ("5", "!"), (5, "!"))]
    short = _check(json.dumps(rows))
    assert short is not None
    assert "same as" not in short


@pytest.mark.parametrize(
    "value",
    [
        [{"a": 1, "b": 2}, {"b": 1, "a": 2}, {"a": 1, "b": 2}],
        [{"a": 1, "b": 2}, {"a": 1, "b": 2, "c": 3}],
        [{"a.b": 1, "a": {"b": 2}}] * 3,
        [{}, {}, {}],
        [[], [], []],
        [{"a": 1}, None, {"a": 1}],
        [[{"a": 1}], {"a": 1}],
        {"a": {"_key": 1, "name": "b"}, "b": {"_key": 2, "name": "c"}},
    ],
)
def test_unlike_objects_only_lose_their_blanks(value: object) -> None:
    text = json.dumps(value, indent=4)
    assert _check(text) == json.dumps(value, separators=(",", ":"))


@pytest.mark.parametrize(
    "value",
    [
        [{"a": True}, {"a": 1}, {"a": True}, {"a": 1}],
        [{"": 1, "b": {"": {"": 2}}}, {"": 1, "b": {"": {"": 3}}}],
        [{"a": {"b": {}}}, {"a": {"b": {}}}],
        [{"a": {"b.c": 1}}, {"a": {"b.c": 2}}, {"a": {"b.c": 3}}],
        [{"_rows": 1, "_all": 2, "_key": 3}, {"_rows": 1, "_all": 2, "_key": 4}],
        [{"a": [{"b": 1}]}, {"a": []}, {"a": [{"b": [{"c": 1}, {"c": 2}]}]}],
        [{"id": "[same as x above]", "v": LONG}] * 5,
        {"_lines": [{"a": 1}, {"a": 2}], "x": {"y": [1.50, 2]}},
        [{"a": None, "b": [1, 2]}] * 6,
    ],
)
def test_hostile_values_come_back(value: object) -> None:
    _check(json.dumps(value, indent=3))


def test_what_uses_the_notation_itself_is_left_alone() -> None:
    assert shorten(json.dumps([{"_cols": [1, 2], "_rows": []}] * 9, indent=2), Segment.JSON) is None


def test_lines_of_objects_become_one_table() -> None:
    text = "\n".join(json.dumps({"at": n, "level": "info", "text": f"step {n}"}) for n in range(5)) + "\n"
    short = _check(text)
    assert short is not None
    assert short.startswith('{"_cols":["at","level","text"],"_lines":[[0,"info","step 0"],')


def test_unlike_lines_stay_lines() -> None:
    lines = [json.dumps({f"key {n}": [n, n, n, n, n, n, n, n]}) for n in range(5)]
    assert _check("\n".join(lines)) == "\n".join(line.replace(", ", ",").replace(": ", ":") for line in lines)


def test_numbers_keep_their_spelling_in_columns() -> None:
    text = '[{"size": 1.0, "count": -0}, {"size": 1e3, "count": 12345678901234567890}, {"size": 1E+2, "count": 1}]'
    text = text.replace("}]", '},{"size": 10, "count": 1.50}]')
    assert _check(text) == '{"_cols":["size","count"],"_rows":[[1.0,-0],[1e3,12345678901234567890],[1E+2,1],[10,1.50]]}'


def test_equal_numbers_of_other_spelling_are_no_constant() -> None:
    text = json.dumps([{"id": n, "size": 0} for n in range(30)]).replace('"size": 0}', '"size": 1234567.0}')
    short = _check(text.replace("1234567.0}", "1234567.00}", 1))
    assert short is not None
    assert "_all" not in short
    assert "1234567.00" in short


@pytest.mark.parametrize("segment", sorted(set(Segment) - READ))
def test_files_and_code_are_left_alone(segment: Segment) -> None:
    assert shorten(json.dumps([{"a": 1, "b": 2}] * 9, indent=2), segment) is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "plain", "[1,2,3]", '[{"a": 1}', '{"a":1,"a":2}', '["\\ud800"]', "[NaN]"]
)
def test_nothing_to_gain_or_no_document_stays(text: str) -> None:
    assert shorten(text, Segment.JSON) is None


KEYS = st.sampled_from(["a", "b", "c", "a.b", "", ".", "_key", "_rows", "_all", "_cols", "é", '"'])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4)
    | st.sampled_from([LONG, LONG + LONG, "[same as a above]"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20
)


@st.composite
def _tables(draw: st.DrawFn) -> object:
    keys = draw(st.lists(KEYS.filter(lambda key: key != "_cols"), min_size=1, max_size=4, unique=True))
    pool = draw(st.lists(VALUES, min_size=1, max_size=3))
    cells = st.sampled_from(pool) | VALUES
    row = st.fixed_dictionaries(dict.fromkeys(keys, cells))
    rows = draw(st.lists(row, min_size=2, max_size=6))
    rows += draw(st.lists(st.sampled_from(rows), max_size=4))
    shape = draw(st.integers(0, 4))
    if shape == 0:
        return rows
    if shape == 1:
        return [rows[:1], [], rows[1:]]
    if shape == 2:
        return {f"{place}": row for place, row in enumerate(rows)}
    if shape == 3:
        return [{"id": place, "rows": rows[place:]} for place in range(3)]
    return {"found": [{"deep": {"row": row, "n": [row]}} for row in rows]}


@given(VALUES | _tables(), st.sampled_from([None, 2]), st.booleans())
@settings(max_examples=200)
def test_every_document_comes_back(value: object, indent: int | None, is_ascii: bool) -> None:
    _check(json.dumps(value, indent=indent, ensure_ascii=is_ascii))


@given(VALUES | _tables())
@settings(max_examples=200)
def test_every_table_comes_back_even_where_it_is_no_gain(value: object) -> None:
    text = json.dumps(value)
    document = json_text.read(text)
    if document is None or '"_cols"' in text:
        return
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_MIN_TABLE_GAIN_BYTES", "_MIN_TABLE_GAIN_PERCENT", "_ALL_BYTES", "_MIN_ROW_TOKENS"):
            patch.setattr(columns, name, -(10**6))
        patch.setattr(columns, "_MIN_CONSTANT_ROWS", 1)
        patch.setattr(columns, "_MIN_CONSTANT_GAIN_BYTES", 1)
        assert restore(json_text.written(folded(document))) == json_text.written(document)


@given(st.lists(st.dictionaries(KEYS, VALUES, max_size=3), min_size=3, max_size=6))
def test_every_document_of_lines_comes_back(lines: list[object]) -> None:
    _check("\n".join(json.dumps(line) for line in lines))


def _binary(depth: int) -> object:
    value: object = [1, 2]
    for _ in range(depth):
        value = [{"a": value, "b": 1}, {"a": value, "b": 2}]
    return value


@pytest.mark.parametrize(
    "text",
    [
        "[" * 500_000,
        '{"a":' * 60 + json.dumps(["x y"] * 100_000) + "}" * 60,
        "[" * 50 + json.dumps([{"a": n, "b": "x"} for n in range(20_000)]) + "]" * 50,
        json.dumps({str(n): n for n in range(100_000)}),
        json.dumps([{str(n): n for n in range(30_000)}] * 2),
        "[" + "1" * 1_000_000 + "]",
        json.dumps(["a b\n" * 500_000]),
        json.dumps([{"id": "x", "text": LONG * 3, "n": n % 2} for n in range(10_000)]),
        json.dumps([{"id": n, "x": [{"a": 1, "b": [{"c": 2, "d": 3}]}]} for n in range(10_000)]),
        json.dumps(_binary(13)),
    ],
    ids=["open", "deep", "wrapped", "keys", "wide rows", "digits", "string", "one name", "nested", "binary"],
)
def test_hostile_text_costs_no_more_than_its_length(text: str) -> None:
    began = time.process_time()
    shorten(text, Segment.JSON)
    # Ten times the budget: another process must not fail it, quadratic work would.
    assert time.process_time() - began < 3 * max(len(text) / 1e6, 0.3)


PAIR_CELLS = st.sampled_from([None, True, False, 1, 0, "", "a", "MCO", "2024-05-16", '"', "é"]) | st.integers()
PAIR_KEYS = st.lists(st.sampled_from(["id", "price", "é", 'a"b', "x", "origin_and_more"]), min_size=1, unique=True)


@given(
    PAIR_KEYS.flatmap(
        lambda keys: st.lists(st.fixed_dictionaries(dict.fromkeys(keys, PAIR_CELLS)), min_size=2, max_size=2)
    )
)
def test_size_of_two_objects_as_a_table_is_known_beforehand(rows: list[JsonObject]) -> None:
    first, second = rows
    whole = cast(list[JsonValue], rows)
    wide = columns._shorter(columns._table(rows, "_rows", 1), whole)
    if columns._are_plain_and_differ(first, second):
        assert columns._pair(first, second, whole) == (whole if wide is None else wide)
