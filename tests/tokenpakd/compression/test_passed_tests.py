"""Lines of passed tests go where the run sums itself up; everything else stays."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenpakd.compression.shortening import (
    NEEDLES,
    TEXTS,
    assert_says_less_or_nothing,
    assert_time_grows_with_the_text_alone,
    lost_needles,
)
from tokenpakd.compression.passed_tests import shorten
from tokenpakd.compression.segments import Segment

_RUNS = {
    "pytest": (
        "tests/test_money.py::test_sum_of_{0}[a b] PASSED      [ {0}%]",
        "===== 1 failed, 40 passed in 1.20s =====",
    ),
    "xdist": (
        "[gw1] [ {0}%] PASSED tests/test_money.py::test_sum_of_{0} ",
        "===== 40 passed, 1 warning in 1.20s =====",
    ),
    "unittest": ("test_sum_of_{0} (tests.test_money.Sums) ... ok", "Ran 40 tests in 0.031s"),
    "cargo": ("test money::sum_of_{0} ... ok", "test result: ok. 40 passed; 0 failed; 0 ignored"),
    "jest": ("    ✓ sums {0} coins (3 ms)", "Tests:       1 failed, 40 passed, 41 total"),
    "vitest": (" ✓ src/money.test.ts > sums {0} coins 3ms", "      Tests  40 passed (40)"),
    "mocha": ("      ✔ sums {0} coins", "  40 passing (31ms)"),
    "tap": ("ok {0} - sums {0} coins", "# pass 40"),
    "go": ("=== RUN   TestSum{0}\n--- PASS: TestSum{0} (0.00s)", "ok  \texample.com/money\t0.031s"),
}


@pytest.mark.parametrize("runner", sorted(_RUNS))
def test_passed_tests_become_their_number(runner: str) -> None:
    line, summary = _RUNS[runner]
    passed = [line.format(number) for number in range(10, 50)]
    text = "\n".join(("begin", *passed, "", summary))
    assert shorten(text, Segment.TEST) == f"begin\n[40 passed tests not shown]\n\n{summary}"


@pytest.mark.parametrize("runner", sorted(_RUNS))
def test_without_a_summary_every_line_stays(runner: str) -> None:
    line, _ = _RUNS[runner]
    assert shorten("\n".join(line.format(number) for number in range(10, 50)), Segment.TEST) is None


@pytest.mark.parametrize(
    "line",
    [
        "tests/test_money.py::test_rounding FAILED [ 40%]",
        "tests/test_money.py::test_rounding SKIPPED (no network) [ 40%]",
        "tests/test_money.py::test_rounding PASSED but slow: 3.1s",
        "tests/test_money.py::test_rounding XFAIL [ 40%]",
        "rounding went to the wrong side",
        *NEEDLES,
    ],
)
def test_whatever_says_more_survives_everywhere(line: str) -> None:
    passed = [f"tests/test_money.py::test_sum_of_{number} PASSED [ {number}%]" for number in range(10, 99)]
    lines = [*passed, "===== 89 passed in 1.20s ====="]
    assert lost_needles(shorten, lines, Segment.TEST, (line,)) == []


def test_go_events_of_a_failed_test_stay() -> None:
    passed = "\n".join(f"=== RUN   TestSum{number}\n--- PASS: TestSum{number} (0.00s)" for number in range(20))
    failed = "=== RUN   TestRounding\n    money_test.go:12: got 3\n--- FAIL: TestRounding (0.00s)"
    text = f"{passed}\n{failed}\nFAIL\nFAIL\texample.com/money\t0.031s"
    assert shorten(text, Segment.TEST) == (
        f"[20 passed tests not shown]\n{failed}\nFAIL\nFAIL\texample.com/money\t0.031s"
    )


@pytest.mark.parametrize(
    "segment", [Segment.CODE, Segment.FILE_VIEW, Segment.DIFF, Segment.PROTECTED, Segment.NARRATIVE]
)
def test_files_are_left_alone(segment: Segment) -> None:
    line, summary = _RUNS["pytest"]
    assert shorten("\n".join((*(line.format(number) for number in range(10, 50)), summary)), segment) is None


@settings(max_examples=80, deadline=None)
@given(TEXTS, st.sampled_from(Segment))
def test_says_less_or_nothing(text: str, segment: Segment) -> None:
    assert_says_less_or_nothing(shorten, text, segment)


def test_time_grows_with_the_text_alone() -> None:
    assert_time_grows_with_the_text_alone(shorten, Segment.TEST)
