"""The lines of one text that stay in it."""

from tokenpakd.compression.line_text import TOOL_OUTPUT, split
from tokenpakd.compression.own_lines import OwnLines

LINES = [
    f"{word} number {n} of the text" for n, word in enumerate(("first", "second", "third", "fourth", "fifth", "sixth"))
]


def _own(lines: list[str], *kept: int) -> OwnLines:
    own = OwnLines(split("\n".join(lines)))
    for at in kept:
        own.keep(at)
    return own


def test_the_longest_run_further_up_is_found() -> None:
    own = _own([*LINES, "between", LINES[2], *LINES[1:4], "end"], *range(8))
    assert own.longest(8, 12) == (1, 3)
    assert own.longest(11, 12) is None
    assert own.longest(7, 12) == (2, 1)


def test_a_run_does_not_reach_into_itself_or_over_what_is_folded_away() -> None:
    own = _own(["the same line again"] * 6, 0)
    assert own.longest(1, 6) == (0, 1)
    own = _own([*LINES, *LINES], 0, 1, 3, 4, 5)
    own.fold(2, 3)
    assert own.longest(6, 12) == (0, 2)


def test_only_lines_that_stand_twice_are_worth_a_look() -> None:
    assert _own([*LINES, LINES[0], "", ""]).twins == {LINES[0]}


def test_numbers_must_be_the_same() -> None:
    assert _own([f"1:{LINES[0]}", f"2:{LINES[0]}"], 0).longest(1, 2) is None
    assert _own([f"1:{LINES[0]}", f"1:{LINES[0]}"], 0).longest(1, 2) == (0, 1)


def test_a_run_is_told_by_the_first_line_that_begins_so() -> None:
    own = _own([*LINES, *LINES], *range(6))
    assert own.told(6, 0, 6, TOOL_OUTPUT) == '[6 lines as above "first number"]'
    assert own.told(6, 0, 1, TOOL_OUTPUT) is None, "too short"
    doubled = _own([f"{LINES[0]} once", *LINES, *LINES], *range(7))
    assert doubled.told(7, 1, 6, TOOL_OUTPUT) == '[6 lines as above 2nd "first number"]'
