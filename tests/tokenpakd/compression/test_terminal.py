"""What a terminal finally shows, and repeated lines counted."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpakd.compression.segments import Segment
from tokenpakd.compression.terminal import render, restore, shorten

PROGRESS = "".join(f"\r{percent:3}% |{'#' * (percent // 4):25}| {percent}/100 files" for percent in range(0, 101, 10))
TEXTS = st.lists(
    st.sampled_from(
        ["\x1b", "[", "31", "m", "K", "2", "G", "A", "\x1b[0m", "\x1b[2K", "\x1b[1A", "\r", "\x08", "\n", "\n\n\n", " ",
         "\t", "a", "a long line of words\n", "[line above ", "3", " more times]", "\n[line above 3 more times]\n", "é"]
    ),
    max_size=60,
).map("".join)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07shown", "shown"),
        ("\x1b]8;;https://x.test\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b[?25lwait\x1b[?25h", "wait"),
        (PROGRESS, "100% |#########################| 100/100 files"),
        ("12345\rabc", "abc45"),
        ("12345\r\x1b[Kabc", "abc"),
        ("12345\x1b[2K\rabc", "abc"),
        ("12345\x1b[2K\x1b[1Gabc", "abc"),
        ("abc\x08\x08X", "aXc"),
        ("_\x08u_\x08p", "up"),
        ("\x08\x08a", "a"),
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        ("a  \nb\t\nc ", "a\nb\nc"),
        ("a\n\n\n\n\nb", "a\n\n\nb"),
        ("a\n\n\n\nb", "a\n\n\n\nb"),
        ("cut \x1b[3", "cut \x1b[3"),
        ("cut \x1b", "cut \x1b"),
        ("\x1b[31mdocker\x1b[0m\n\x1b[1A\x1b[2Kagain\rstays", "docker\n\x1b[1A\x1b[2Kagain\rstays"),
    ],
)
def test_shows_the_final_state(text: str, seen: str) -> None:
    assert render(text, Segment.LOG) == seen


def test_needle_in_the_final_state_of_a_progress_line_survives() -> None:
    log = "\n".join(f"{PROGRESS} id-{number}" for number in range(30))
    shorter = shorten(log, Segment.LOG)
    assert shorter is not None
    assert all(f"id-{number}" in shorter for number in range(30))
    assert len(shorter) < len(log) / 5


@pytest.mark.parametrize(
    "segment", [Segment.FILE_VIEW, Segment.CODE, Segment.CONFIG, Segment.SEARCH, Segment.NARRATIVE]
)
def test_views_lose_colours_and_nothing_else(segment: Segment) -> None:
    line = "\x1b[1;32mdef\x1b[0m f():   \n\n\n\n\n\n\t\r\n"
    assert shorten(line * 10, segment) == "def f():   \n\n\n\n\n\n\t\r\n" * 10
    assert shorten("x = 1   \n\n\n\n\n\n" + "same line of code\n" * 50, segment) is None


@pytest.mark.parametrize("segment", [Segment.DIFF, Segment.JSON, Segment.PROTECTED])
def test_diffs_json_and_protected_text_lose_nothing(segment: Segment) -> None:
    assert shorten("\x1b[31m-a\x1b[0m   \n" * 50, segment) is None


def test_counts_lines_that_come_again_and_again() -> None:
    warning = "WARNING: Retrying after connection broken by NewConnectionError"
    text = "\n".join(["start", *[warning] * 5, "", "", "", *["ok"] * 3, "end"])
    assert shorten(text, Segment.LOG) == "\n".join(
        ["start", warning, "[line above 4 more times]", "", "", "", *["ok"] * 3, "end"]
    )


def test_twice_is_not_counted_and_our_own_words_are_left_alone() -> None:
    warning = "WARNING: Retrying after connection broken by NewConnectionError\n"
    assert shorten(f"{warning * 2}x\n{warning * 2}", Segment.LOG) is None
    assert shorten(f"[line above 4 more times]\n{warning * 9}", Segment.LOG) is None


@given(TEXTS, st.sampled_from(Segment))
def test_never_longer_told_back_and_stable(text: str, segment: Segment) -> None:
    shorter = shorten(text, segment)
    assert shorter == shorten(text, segment)
    if shorter is not None:
        assert len(shorter) < len(text)
        assert restore(shorter) == render(text, segment)
        assert shorten(shorter, segment) is None


@given(TEXTS)
def test_clean_text_is_rendered_as_it_is(text: str) -> None:
    clean = "".join(char for char in text if char.isalnum())
    assert render(clean, Segment.LOG) is clean


@pytest.mark.parametrize(
    "piece",
    [
        "foo bar baz\n",
        "\n",
        " ",
        "\x1b",
        "\x1b[",
        "\x1b]0;",
        "1;",
        "\x08",
        "x\r",
        "\x1b[2K\rfoo",
        "\x1b[2Kb",
        "|\x08",
        "a \n",
    ],
)
@pytest.mark.parametrize("before", ["", "a" * 250_000, "\x1b["])
def test_hostile_text_costs_linear_time(piece: str, before: str) -> None:
    text = before + piece * (500_000 // len(piece))
    begun = time.perf_counter()
    shorten(text, Segment.LOG)
    assert time.perf_counter() - begun < 2  # 0.3 s per MB, and a machine that is busy
