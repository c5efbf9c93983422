"""Documents are read with their numbers' spelling, or not at all."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpakd.compression import json_text
from tokenpakd.compression.json_text import MAX_DEPTH, MAX_DEPTH_SENT

NUMBERS = ["0", "-0", "1", "1.0", "-1.50", "1e3", "1E+2", "1e-7", "-0.0", "12345678901234567890", "9" * 5000, "1" * 18]


@pytest.mark.parametrize("number", NUMBERS)
def test_number_keeps_its_spelling(number: str) -> None:
    document = json_text.read(f'{{ "a" : [ {number} , {{"b": {number}}} ] }}')
    assert document is not None
    assert json_text.written(document) == f'{{"a":[{number},{{"b":{number}}}]}}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        '"a"',
        "null",
        '{"a":1,"a":2}',
        '[{"a":{"b":1,"b":1}}]',
        "[NaN]",
        "[-Infinity]",
        "[1,]",
        "[1] x",
        '[1]{"a":1}',
        "{'a':1}",
        '{"a":1',
        '["\t"]',
        '["\\ud800"]',
        '{"\\uDC00 a": 1}',
        '{"a": 1}\n{"a": "\\ud800"}\n{"a": 1}',
        "[01]",
        "[1]\x00",
        "\ufeff[1]",
        "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
        "[" * 100_000,
        '{"a":' * 100_000,
    ],
)
def test_what_readers_disagree_about_is_not_read(text: str) -> None:
    assert json_text.read(text) is None


def test_whole_surrogate_pair_is_one_character() -> None:
    document = json_text.read('["\\ud83d\\ude00", "\\\\ud83d"]')
    assert document is not None
    assert json_text.written(document) == '["\U0001f600","\\\\ud83d"]'


def test_depth_is_counted_from_the_outermost() -> None:
    assert json_text.read("[" * MAX_DEPTH + "]" * MAX_DEPTH) is not None
    wide = "[" + ",".join(["[]"] * 100) + "]"
    assert json_text.read(wide) is not None
    too_deep = "[[]," + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "]"
    assert json_text.read(too_deep) is None
    assert json_text.read(too_deep, MAX_DEPTH_SENT) is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" \n[1, 2]\n ", "[1,2]"),
        (
            '<returncode>0</returncode>\n<output>\n{"a": 1}\n</output>',
            '<returncode>0</returncode>\n<output>\n{"a":1}\n</output>',
        ),
        (
            "<returncode>1</returncode>\n<output>\n[1, 2]</output>\n",
            "<returncode>1</returncode>\n<output>\n[1,2]</output>\n",
        ),
        ("Found 2 rows:\n[1, 2]", "Found 2 rows:\n[1,2]"),
        ('"caf\\u00e9 \\/ \\n"', None),
        ('["caf\\u00e9 \\/ \\n \\u0001"]', '["café / \\n \\u0001"]'),
        ('{"a": 1}\n{"a": 2}\n{"b": [ ]}\n', '{"a":1}\n{"a":2}\n{"b":[]}'),
        ('{"a": 1}\n{"a": 2}', None),
        ('{"a": 1},{"a": 1}\n{"a": [1\n,2]}', None),
        ('{"a":1},{"a":1}\n{"a":[{"x":1}\n{"y":1}]}\n{"a":1}', None),
        ('{"a":[{"x":1},\n{"y":1}]}\n{"a":1}\n{"a":1}', None),
        ('{"a":1}\n[1]\n{"a":1}', None),
        ('{"a":1}\n\n{"a":1}\n{"a":1}', None),
        ('a heading\nanother\n{"a": 1}', None),
        ('<returncode>0</returncode>\n<output>\n{"a": 1}\n', None),
        ("<returncode>0</returncode>\n<output>\n</output></output>", None),
    ],
)
def test_document_is_found_in_its_wrapping(text: str, expected: str | None) -> None:
    document = json_text.read(text)
    assert (None if document is None else json_text.written(document)) == expected


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=4), inner, max_size=5),
)


@given(st.lists(TREES, max_size=4), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_writing_gives_the_value_back(value: list[object], indent: int | str | None, is_ascii: bool) -> None:
    document = json_text.read(json.dumps(value, indent=indent, ensure_ascii=is_ascii))
    assert document is not None
    assert json_text.written(document) == json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@given(st.text(alphabet='{}[]",:10.e-\\ntrue\n ', max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    document = json_text.read(text)
    if document is not None:
        again = json_text.read(json_text.written(document))
        assert again is not None
        assert json_text.written(again) == json_text.written(document)


@pytest.mark.parametrize("text", [*NUMBERS, "-" + "1" * 18, "1" * 17, '"1e5"', '"\\u00e9"', '"\\/"', '"é\x7f"', "true"])
def test_quick_look_sees_what_the_long_one_does(text: str) -> None:
    body = f'[ {text} , {{"a": {text} }} ]'
    quick, shortest = json_text._parsed_plain(body)
    slow = json_text.parse(body)
    assert isinstance(slow, list)
    if quick is not None:
        assert isinstance(quick, list)
        assert (type(quick[0]), quick) == (type(slow[0]), slow)
        assert shortest == json_text.write(slow)


@pytest.mark.parametrize(("text", "is_quick"), [('{"a": [1, 1.50, "é"]}', True), ('{"a": -0}', False), ("[1e3]", True)])
def test_quick_look_is_for_what_is_written_again_as_it_came(text: str, is_quick: bool) -> None:
    document = json_text.read(text)
    assert document is not None
    assert (document.shortest is not None) == is_quick
