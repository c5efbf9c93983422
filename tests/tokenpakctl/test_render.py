"""Text for people: harmless, aligned, and the same figures everywhere."""

import math
import time
from collections.abc import Iterator

import pytest

from tokenpakctl import render
from tokenpakctl.render import View


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("claude-opus é ☃ 漢", "claude-opus é ☃ 漢"),
        ("\x1b[31mred\x1b[0m", "�[31mred�[0m"),
        ("a\nb\tc\r\x00\x7f", "a�b�c���"),
        ("\x9b2J", "�2J"),
        ("\u202etxt.exe\u2066\u200f", "�txt.exe��"),
        ("\u2028\ufeff\ufffa\U000e0041", "����"),
        ("\ud800", "�"),
    ],
)
def test_nothing_that_steers_a_terminal_comes_through(text: str, shown: str) -> None:
    assert render.plain(text) == shown
    assert render.plain(shown) == shown


def test_lines_and_tabs_stay_where_they_are_wanted() -> None:
    assert render.plain_lines("a\tb\n\x1bc\r\n") == "a\tb\n�c�\n"


def test_a_view_reads_what_is_there_and_is_neutral_about_the_rest() -> None:
    view = View(
        {
            "text": "a\x07", "number": 3, "half": 0.5, "yes": True, "null": None, "empty": "", "list": [{"a": 1}, 2],
            "map": {"b": "c"}, "nan": math.nan, "inf": math.inf, "huge": 10**400,
        }
    )  # fmt: skip
    assert [view.text(key) for key in ("text", "number", "yes", "null", "empty", "gone")] == [
        "a�", "3", "True", "–", "–", "–"
    ]  # fmt: skip
    assert view.text("gone", "") == ""
    assert [view.number(key) for key in ("number", "half", "yes", "text", "null", "gone")] == [3, 0.5] + [None] * 4
    assert [view.whole(key) for key in ("number", "half", "nan", "inf", "huge")] == [3, 0, None, None, None]
    assert [view.flag(key) for key in ("yes", "number", "gone")] == [True, False, False]
    assert (view.view("map").text("b"), view.view("list").fields, view.view("gone").fields) == ("c", {}, {})
    assert [one.fields for one in view.views("list")] == [{"a": 1}]
    assert (view.views("map"), view.texts("list"), view.texts("text")) == ([], ["{'a': 1}", "2"], [])


def test_a_table_is_aligned_and_ends_its_lines_with_no_blank() -> None:
    shown = render.table(["name", "n", "x"], [["a", "1", ""], ["longer", "100", "y"]], right=[1])
    assert shown == "name      n  x\na         1\nlonger  100  y"
    assert render.table(["a", "b"], []) == "a  b"


@pytest.mark.parametrize(
    ("value", "counted", "shortened"),
    [
        (None, "–", "–"),
        (0, "0", "0"),
        (987, "987", "987"),
        (9_999, "9,999", "9,999"),
        (9_999.6, "10,000", "10.0k"),
        (12_345, "12,345", "12.3k"),
        (999_949, "999,949", "999.9k"),
        (999_960, "999,960", "1.0M"),
        (4_100_000, "4,100,000", "4.1M"),
        (999_960_000, "999,960,000", "1.0G"),
        (-12_345, "-12,345", "-12.3k"),
    ],
)
def test_counts(value: float | None, counted: str, shortened: str) -> None:
    assert (render.count(value), render.short(value)) == (counted, shortened)


@pytest.mark.parametrize(("value", "said"), [(0, "0 rows"), (1, "1 row"), (1200, "1,200 rows"), (None, "– rows")])
def test_one_is_no_plural(value: float | None, said: str) -> None:
    assert render.counted(value, "row") == said


@pytest.mark.parametrize(
    ("part", "whole", "shown"), [(1, 3, "33%"), (0, 5, "0%"), (None, 5, "–"), (1, 0, "–"), (1, None, "–")]
)
def test_shares(part: float | None, whole: float | None, shown: str) -> None:
    assert render.percent(part, whole) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "–"), (0.04, "0.0 ms"), (1.25, "1.2 ms"), (210, "210 ms"), (10_000, "10.0 s")]
)
def test_durations(value: float | None, shown: str) -> None:
    assert render.milliseconds(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "–"), (0, "$0.0000"), (1.23456, "$1.2346"), (10, "$10.00"), (12_345.678, "$12,345.68")]
)
def test_money(value: float | None, shown: str) -> None:
    assert render.usd(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0s"), (0.9, "0s"), (59.9, "59s"), (60, "1m"), (3599, "59m"), (12_000, "3h 20m"), (187_200, "2d 4h")],
)
def test_spans(seconds: float, shown: str) -> None:
    assert render.span(seconds) == shown


def test_the_clock_shows_the_date_where_it_is_not_today(utc: None) -> None:
    assert render.clock(None) == "–"
    assert render.clock(86_400_000 + 3_661_000) == "1970-01-02 01:01:01"
    now = time.time()
    assert render.clock(now * 1000) == time.strftime("%H:%M:%S", time.gmtime(now))


def test_a_pause_says_how_long_it_lasts(utc: None) -> None:
    assert render.pause_words(None, 0) == "paused until `tokenpakctl resume`: requests pass untouched"
    assert "(10m left)" in render.pause_words(600_000, 0)
    assert "(10m left)" in render.pause_words(600_000, 30_000)  # a minute that has begun counts
    assert "(30s left)" in render.pause_words(600_000, 570_000)


@pytest.mark.parametrize(
    ("level", "fix", "colour", "line"),
    [
        ("ok", "run this", False, "✓ n�: m"),
        ("warn", "run\nthis", False, "! n�: m\n    → run�this"),
        ("fail", "", False, "✗ n�: m"),
        ("odd", "", True, "\x1b[0m?\x1b[0m n�: m"),
        ("fail", "", True, "\x1b[31m✗\x1b[0m n�: m"),
    ],
)
def test_a_finding_is_a_line_and_its_fix_the_next(level: str, fix: str, colour: bool, line: str) -> None:
    assert render.check_line(level, "n\x1b", "m", fix, colour=colour) == line
