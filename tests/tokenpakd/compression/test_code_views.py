"""Comments go from code views; code, docstrings, directives and line numbers stay."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenpakd.compression.shortening import (
    TEXTS,
    assert_says_less_or_nothing,
    assert_time_grows_with_the_text_alone,
)
from tokenpakd.compression.code_views import shorten
from tokenpakd.compression.segments import Segment

_PYTHON = '''import math
from decimal import Decimal


class Money:
    """A sum in one currency.

    # not a comment: this line is part of the docstring, and so it has to stay where it is
    # as well as this one, which says a good deal more than the line before had to say
    """

    # The sum is kept in the smallest unit there is, because fractions of it cannot be paid
    # to anybody, and because adding them up would give another sum every time it is done.

    def plus(self, other):
        # noqa: what steers a tool has to stay, whatever else is written on the line of it
        return self.sum + other.sum  # rounding is done by the caller of this function here
'''
_PYTHON_SHORT = _PYTHON.replace(
    """    # The sum is kept in the smallest unit there is, because fractions of it cannot be paid
    # to anybody, and because adding them up would give another sum every time it is done.
""",
    "[2 comment lines]\n",
)
_SCRIPT = """// Money is counted in the smallest unit there is, because fractions of it
// cannot be paid to anybody, and because adding them up gives another sum.
export function plus(a, b) {
  /*
   * Both are of one currency: the caller has seen to that before it came here,
   * and to ask once more would only cost time that nobody wants to spend.
   */
  const url = "// no comment";
  // eslint-disable-next-line no-restricted-syntax
  return a.sum + b.sum; /* stays */
}
const page = `
// part of the text and therefore nothing that may ever be taken out of the template
`;
"""


def test_python_comments_go_and_docstrings_stay() -> None:
    assert shorten(_PYTHON, Segment.CODE) == _PYTHON_SHORT


def test_script_comments_go_and_templates_stay() -> None:
    lines = _SCRIPT.split("\n")
    assert shorten(_SCRIPT, Segment.CODE) == "\n".join(("[2 comment lines]", lines[2], "[4 comment lines]", *lines[7:]))


def test_numbered_view_keeps_its_numbers() -> None:
    numbered = [f"{number:6d}\t{line}" for number, line in enumerate(_PYTHON.split("\n"), 40)]
    short = shorten("\n".join(numbered), Segment.CODE)
    assert short is not None
    kept = [line for line in short.split("\n") if line != "[2 comment lines]"]
    assert kept == [*numbered[:11], *numbered[13:]]


@pytest.mark.parametrize(
    "comment",
    [
        "# TODO: the sum is wrong where the currency has no smaller unit, see what others do about it",
        "# type: ignore[assignment] and some words to make the line long enough to be worth a mark",
        "# See https://example.com/money/rounding for the reason why the sum is kept in smallest units",
    ],
)
def test_what_steers_or_warns_stays(comment: str) -> None:
    assert shorten(_PYTHON.replace("# The sum is", comment + "\n    # The sum is"), Segment.CODE) == (
        _PYTHON_SHORT.replace("[2 comment lines]", "    " + comment + "\n[2 comment lines]")
    )


def test_python_with_statements_in_its_comments_is_python() -> None:
    told = "".join(f"# was once written so: total = {number};\n" for number in range(9))
    short = shorten(told + _PYTHON, Segment.CODE)
    assert short is not None
    assert short.startswith("[9 comment lines]\nimport math\n")


@pytest.mark.parametrize("end", ["\r\n", " \n", "\t \n"])
def test_blanks_at_the_end_of_lines_hide_no_script(end: str) -> None:
    short = shorten(_SCRIPT.replace("\n", end), Segment.CODE)
    assert short is not None
    assert [line for line in short.split("\n") if line.endswith(" comment lines]")] == [
        "[2 comment lines]",
        "[4 comment lines]",
    ]


@pytest.mark.parametrize("segment", [one for one in Segment if one is not Segment.CODE])
def test_other_segments_are_left_alone(segment: Segment) -> None:
    assert shorten(_PYTHON, segment) is None


@pytest.mark.parametrize(
    "text",
    [
        "diff --git a/money.py b/money.py\n" + _PYTHON,
        "# a heading of prose, and what comes after it is prose as well\n\nsome words about money\n" * 20,
        "\n".join(f"    0x{number:04x}, 0x{number * 3:04x}," for number in range(200)),
        "\n".join(f"RATES[{number}] = {number * 3}" for number in range(200)),
    ],
    ids=["difference", "prose", "table of numbers", "table of rates"],
)
def test_what_is_no_code_with_comments_stays(text: str) -> None:
    assert shorten(text, Segment.CODE) is None


@settings(max_examples=80, deadline=None)
@given(TEXTS, st.sampled_from(Segment))
def test_says_less_or_nothing(text: str, segment: Segment) -> None:
    assert_says_less_or_nothing(shorten, text, segment)


def test_time_grows_with_the_text_alone() -> None:
    assert_time_grows_with_the_text_alone(shorten, Segment.CODE)
