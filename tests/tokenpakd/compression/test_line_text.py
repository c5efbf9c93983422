"""A text by lines, numbers set aside, and what a line may be quoted by."""

import pytest

from tokenpakd.compression.line_text import (
    BARE,
    FEWEST_COUNTED,
    PLAIN,
    TOOL_OUTPUT,
    USER_TEXT,
    Limits,
    agreement,
    best_quote,
    groups,
    head,
    inner,
    number_of,
    quotes,
    rank,
    renumbered,
    split,
    unparted,
)


@pytest.mark.parametrize(
    ("line", "number", "content"),
    [
        ("    12\tdef x():", "    12\t", "def x():"),
        ("12:def x():", "12:", "def x():"),
        ("12-  y = 1", "12-", "  y = 1"),
        ("  12→\tz", "  12→", "\tz"),
        ("12|a", "12|", "a"),
        ("L12: a", "L12: ", "a"),
        ("  Line 12:   a", "  Line 12: ", "  a"),
        ("12:  a", "12:", "  a"),
        ("L12:a", "", "L12:a"),
        ("12345678:a", "", "12345678:a"),
        ("12 a", "", "12 a"),
        ("x12:a", "", "x12:a"),
    ],
)
def test_a_number_is_set_aside(line: str, number: str, content: str) -> None:
    lines = split(f"{line}\n7:other")
    assert lines.prefixes == [number, "7:"]
    assert lines.contents == [content, "other"]


@pytest.mark.parametrize("prefix", ["12: ", "00012| ", "  12 | ", "12|", "12\t", "  12→"])
def test_a_reading_tool_s_blank_belongs_to_its_number(prefix: str) -> None:
    assert split(f"{prefix} a = 1", is_spaced=True).prefixes == [prefix + " " * prefix.endswith(("12|",))]
    assert number_of(prefix) == 12
    assert renumbered(prefix, 12) == prefix
    assert renumbered(prefix, 113) == prefix.replace("012", "113").replace(" 12", "113").replace("12", "113")


@pytest.mark.parametrize("text", ["", "a\nb", "a\r\nb\x85c\u2028d\n\n", "1:a\n 2\tb\nc", "\n\n"])
def test_lines_are_told_back_as_they_were(text: str) -> None:
    lines = split(text)
    assert "\n".join(lines.raw(0, len(lines.contents))) == text


def test_without_a_number_nothing_stands_before_the_lines() -> None:
    assert split("a\nb 1:c").prefixes is None


def test_a_tool_s_own_tags_are_not_its_output() -> None:
    wrapped = split("<returncode>0</returncode>\n<output>\na\nb\n</output>")
    assert inner(wrapped) == (2, 4)
    assert inner(split("a\nb")) == (0, 2)
    assert inner(split("<a>\n<b>")) == (2, 2)
    assert inner(split("<a>\n<b>\n<c>\n<d>\nx"))[0] == 3, "three at most: the rest is somebody's document"


def test_a_heading_is_not_parted_from_what_stands_below_it() -> None:
    lines = split('x\n[2 lines begin "a"]\ny\nz\n[1 lines begin "b"]\nq\n[lines begin "c"]')
    headed = groups(lines)
    assert headed == [(1, 4), (4, 6)]
    assert [unparted(headed, 0, size) for size in range(1, 8)] == [1, 1, 1, 4, 4, 6, 7]
    assert [unparted(headed, 2, size) for size in range(1, 5)] == [1, 2, 2, 4]
    assert unparted(headed, 1, 2) == 0
    assert unparted([], 3, 2) == 2


def test_a_quote_is_as_short_as_it_can_be() -> None:
    assert head("    def _serialize(self, value, attr):") == "def _serialize"
    assert head("  ") == ""
    assert quotes("def one_two(self, three, four, five)") == (
        "def one_two",
        "def one_two(self, three",
        "def one_two(self, three, four, five",
        "def one_two(self, three, four, five)",
    )
    assert quotes("---") == ()
    content = "def one_two(self, three, four)"
    ranks = {"def one_two": 3, "def one_two(self, three": 2}
    assert best_quote(content, lambda quote: (ranks.get(quote, 0), True)) == '2nd "def one_two(self, three"'
    assert best_quote(content, lambda quote: (1, False)) == '"def one_two"'
    assert best_quote(content, lambda quote: (1, True)) == '1st "def one_two"'
    assert best_quote(content, lambda quote: (4, True)) is None
    assert best_quote("a b", lambda quote: (1, False)) is None, "too short to be recognised"


def test_a_line_is_ranked_among_those_that_begin_alike() -> None:
    contents = ["other", "  def load(a)", None, "def load(b)", "def load(a)"]
    assert rank(contents, (1, 3, 4), 1, "def load") == (1, True)
    assert rank(contents, (1, 3, 4), 3, "def load") == (2, True)
    assert rank(contents, (1, 3, 4), 3, "def load(b)") == (1, False)
    assert rank(contents, (1, 3, 4), 4, "def load(a)") == (2, True)
    assert rank(contents, (1, 3), 4, "def load") == (0, True)
    assert rank(["def load(a)"] * 300, range(300), 299, "def load") == (0, True), "far down"
    assert rank(["def load(a)", *["def loud"] * 300], range(301), 0, "def load") == (1, True), "who knows"


@pytest.mark.parametrize(
    ("style", "number", "said"), [("    12\t", 7, "     7\t"), ("9:", 10, "10:"), (" 9→", 10, "10→"), ("x", 1, "")]
)
def test_numbers_are_written_in_the_style_of_their_text(style: str, number: int, said: str) -> None:
    assert renumbered(style, number) == said
    assert number_of(said) == (number if said else -1)


@pytest.mark.parametrize(
    ("mine", "theirs", "lines", "form"),
    [
        (["", ""], ["", ""], 2, PLAIN),
        (["1:", "2:"], ["1:", "2:"], 2, PLAIN),
        (["1:", "2:"], ["1:", "3:"], 1, PLAIN),
        (["", "", "3:"], ["1:", "2:", "3:"], 2, BARE),
        (["", ""], ["1:", ""], 1, BARE),
        (["6:", "7:"], ["1:", "2:"], 2, "numbers +5"),
        (["     6\t", "     7\t"], ["1:", "2:"], 2, "numbers +5"),
        (["1:", "2:", "9:"], ["6:", "7:", "8:"], 2, "numbers -5"),
        (["6:", "7:"], ["1:", ""], 1, "numbers +5"),
        (["1:", "2:"], ["", ""], 0, PLAIN),
    ],
)
def test_runs_agree_in_one_way_only(mine: list[str], theirs: list[str], lines: int, form: str) -> None:
    assert agreement(mine, theirs) == (lines, form)


def test_numbers_count_on_through_a_long_text_that_bears_none() -> None:
    count = FEWEST_COUNTED + 3
    numbers = [f"{n}:" for n in range(5, 5 + count)]
    assert agreement(numbers, [""] * count) == (count, "numbers count on")
    assert agreement(numbers, [*[""] * (count - 1), "77:"]) == (count - 1, "numbers count on"), "it bears one itself"
    assert agreement(numbers[:FEWEST_COUNTED], [""] * FEWEST_COUNTED) == (0, PLAIN)


@pytest.mark.parametrize(
    ("limits", "folded", "is_allowed"),
    [
        (TOOL_OUTPUT, ["x" * 20, "y" * 20], True),
        (TOOL_OUTPUT, ["x", "y"], False),
        (TOOL_OUTPUT, ["x" * 99], False),
        (TOOL_OUTPUT, ["x" * 100], True),
        (USER_TEXT, ["x" * 100] * 3, False),
        (USER_TEXT, ["x" * 100] * 4, True),
        (USER_TEXT, ["x" * 400], True),
        (TOOL_OUTPUT, [], False),
    ],
)
def test_short_runs_are_not_looked_at(limits: Limits, folded: list[str], *, is_allowed: bool) -> None:
    assert limits.allow(folded, "\n".join(folded)) is is_allowed
