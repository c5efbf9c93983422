"""Minified code and blobs keep their ends and the paths in them; prose, lists, tables and JSON stay whole."""

import base64
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenpakd.compression.shortening import (
    TEXTS,
    assert_says_less_or_nothing,
    assert_time_grows_with_the_text_alone,
)
from tokenpakd.compression.dense_lines import shorten
from tokenpakd.compression.segments import Segment

_BLOB = base64.b64encode(bytes(number * 7 % 251 for number in range(3_000))).decode()
_MINIFIED = "".join(f"function a{number}(e,t){{return e[{number}]+t.b{number}}}" for number in range(90))


@pytest.mark.parametrize("dense", [_BLOB, _MINIFIED], ids=["base64", "minified"])
def test_dense_line_keeps_both_ends_and_says_how_much_is_cut(dense: str) -> None:
    short = shorten(f"before\n{dense}\nafter", Segment.UNKNOWN)
    assert short is not None
    first, line, last = short.split("\n")
    assert (first, last) == ("before", "after")
    found = re.fullmatch(r"(.*)\[(\d+) chars cut\](.*)", line)
    assert found is not None
    head, count, tail = found.groups()
    assert dense.startswith(head)
    assert dense.endswith(tail)
    assert len(head) + int(count) + len(tail) == len(dense)
    assert 100 <= len(head) <= 160
    assert 30 <= len(tail) <= 80


def test_paths_and_addresses_in_the_middle_are_named() -> None:
    middle = 'from"./lib/money.js",fetch("https://api.example.com/v1/rates?base=eur")'
    short = shorten(f"{_MINIFIED};import a {middle};{_MINIFIED}", Segment.SEARCH)
    assert short is not None
    assert "./lib/money.js" in short
    assert "https://api.example.com/v1/rates?base=eur" in short


@pytest.mark.parametrize(
    "line",
    [
        json.dumps({"rows": list(range(900))}, separators=(",", ":")),
        '{"rows":' + json.dumps(list(range(900)), separators=(",", ":")),
        "data: " + json.dumps([{"id": number} for number in range(400)], separators=(",", ":")),
        "这是一个没有空格的很长的句子" * 180,
        repr([f"/usr/lib/python3/site-packages/package_{number}/module.py" for number in range(60)]),
        ":".join(f"/opt/tools/version{number}/lib/tool.so" for number in range(70)),
        "\n".join(",".join(str(row * column) for column in range(120)) for row in range(9, 15)),
        "a word and another " * 140,
    ],
    ids=["json", "cut json", "event", "chinese", "list", "search path", "table", "prose"],
)
def test_what_may_be_read_stays(line: str) -> None:
    assert shorten(f"before\n{line}\nafter", Segment.UNKNOWN) is None


@pytest.mark.parametrize("segment", [Segment.PROTECTED, Segment.DIFF, Segment.JSON])
def test_other_segments_are_left_alone(segment: Segment) -> None:
    assert shorten(_MINIFIED, segment) is None


@pytest.mark.parametrize(("chars", "is_cut"), [(299, False), (300, True)])
def test_lines_of_three_hundred_characters_are_long_wherever_they_stand(chars: int, is_cut: bool) -> None:
    for lead in ("", "\n" * 299, "x\n" * 150, "a word\n" * 43):
        text = lead + "\n".join(_BLOB[at : at + chars] for at in range(0, 3_500, chars))
        assert (shorten(text[: -(3_500 % chars) or None], Segment.UNKNOWN) is not None) is is_cut


def test_short_text_is_left_alone() -> None:
    assert shorten(_BLOB[:1_900], Segment.UNKNOWN) is None


@settings(max_examples=80, deadline=None)
@given(TEXTS, st.sampled_from(Segment))
def test_says_less_or_nothing(text: str, segment: Segment) -> None:
    assert_says_less_or_nothing(shorten, text, segment)


def test_time_grows_with_the_text_alone() -> None:
    assert_time_grows_with_the_text_alone(shorten, Segment.UNKNOWN)
