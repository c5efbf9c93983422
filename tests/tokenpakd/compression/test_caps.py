"""Above the cap: head, tail and what is rare in between. Below it: nothing happens."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenpakd.compression.shortening import (
    NEEDLES,
    TEXTS,
    assert_says_less_or_nothing,
    assert_time_grows_with_the_text_alone,
)
from tokenpakd.compression.caps import shorten
from tokenpakd.compression.segments import Segment
from tokenpakd.tokens.estimate import estimate

_LINES = [f"step {number}: copied the block from its old place to the new one" for number in range(1_500)]


def test_head_tail_and_the_number_of_lines_between_remain() -> None:
    short = shorten("\n".join(_LINES), Segment.UNKNOWN)
    assert short is not None
    found = re.fullmatch(r"(.*)\n\[(\d+) lines not shown\]\n(.*)", short, re.DOTALL)
    assert found is not None
    head, missing, tail = found.groups()
    assert 3_900 <= estimate(head) <= 4_000
    assert 1_900 <= estimate(tail) <= 2_000
    kept = (*head.split("\n"), *tail.split("\n"))
    assert len(kept) + int(missing) == len(_LINES)
    assert (*_LINES[: head.count("\n") + 1], *_LINES[-tail.count("\n") - 1 :]) == kept


@pytest.mark.parametrize("needle", NEEDLES)
def test_rare_line_survives_in_the_middle_too(needle: str) -> None:
    for place in range(0, len(_LINES) + 1, 50):
        short = shorten("\n".join([*_LINES[:place], needle, *_LINES[place:]]), Segment.LOG)
        assert short is not None
        assert needle in short.split("\n")


@pytest.mark.parametrize(
    ("calm", "trouble"),
    [
        ("is calm", "failed to answer"),
        ("is calm", "TIMED OUT"),
        ("is calm", "waits for a Timeout"),
        ("i\u017f calm", "refu\u017fed to answer"),
    ],
)
def test_trouble_goes_first_where_every_line_is_rare(calm: str, trouble: str) -> None:
    words = [
        "amber",
        "birch",
        "cedar",
        "delta",
        "ember",
        "fjord",
        "grove",
        "heath",
        "inlet",
        "jetty",
        "knoll",
        "lagoon",
    ]
    lines = [
        f"the {words[number % 12]}{'x' * (number // 12 % 40)} of {words[number // 480 % 12]} {calm}"
        for number in range(2_400)
    ]
    lines[1_700] = f"the lagoon of amber {trouble}"
    short = shorten("\n".join(lines), Segment.UNKNOWN)
    assert short is not None
    assert lines[1_700] in short.split("\n")
    assert estimate(short) <= 10_000


def test_files_have_a_higher_cap() -> None:
    text = "\n".join(_LINES[:700])
    assert estimate(text) > 10_000
    assert shorten(text, Segment.LOG) is not None
    assert shorten(text, Segment.CODE) is None
    assert shorten("\n".join(_LINES), Segment.FILE_VIEW) is not None


def test_below_the_cap_nothing_happens() -> None:
    text = "\n".join(_LINES[:300])
    assert estimate(text) < 10_000
    assert shorten(text, Segment.LOG) is None


def test_one_endless_line_is_left_alone() -> None:
    assert shorten("word " * 20_000, Segment.LOG) is None


@pytest.mark.parametrize("segment", [Segment.PROTECTED, Segment.NARRATIVE])
def test_other_segments_are_left_alone(segment: Segment) -> None:
    assert shorten("\n".join(_LINES), segment) is None


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.sampled_from(Segment))
def test_says_less_or_nothing(text: str, segment: Segment) -> None:
    assert_says_less_or_nothing(shorten, text * 8, segment)


def test_time_grows_with_the_text_alone() -> None:
    assert_time_grows_with_the_text_alone(shorten, Segment.UNKNOWN)
