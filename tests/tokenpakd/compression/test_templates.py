"""Common records are told once; whatever is rare, odd or no record stays."""

import hashlib

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
from tokenpakd.compression.segments import Segment
from tokenpakd.compression.templates import shorten


def _log(count: int) -> list[str]:
    return [
        f"2026-11-20 12:{second // 60:02d}:{second % 60:02d} INFO worker {second % 7} finished job {1000 + second} in"
        f" {second * 37 % 90}ms ref {hashlib.sha256(str(second).encode()).hexdigest()[:10]}"
        for second in range(count)
    ]


def test_run_of_like_records_becomes_first_count_and_last() -> None:
    lines = [f"INFO loading part {number} of the model" for number in range(100, 160)]
    assert shorten("\n".join(lines), Segment.LOG) == f"{lines[0]}\n[58 similar lines]\n{lines[-1]}"


def test_interleaved_shapes_fold_together() -> None:
    lines = [
        line
        for number in range(100, 160)
        for line in (f"DEBUG opened channel {number} for reading", f"DEBUG closed channel {number} after use")
    ]
    assert shorten("\n".join(lines), Segment.LOG) == "\n".join((*lines[:2], "[116 similar lines]", *lines[-2:]))


def test_pip_chatter_folds_where_the_end_names_what_was_installed() -> None:
    lines = [
        line
        for name in ("pytest", "pluggy", "packaging", "iniconfig", "pygments", "coverage", "attrs")
        for line in (
            f"Collecting {name}>=1.5 (from project==0.1)",
            f"  Downloading {name}-2.3.0-py3-none-any.whl (7 kB)",
        )
    ]
    end = "Successfully installed attrs-2.3.0 coverage-2.3.0 iniconfig-2.3.0 packaging-2.3.0 pytest-2.3.0"
    assert shorten("\n".join((*lines, end)), Segment.LOG) == "\n".join(
        (*lines[:2], "[10 similar lines]", *lines[-2:], end)
    )
    assert shorten("\n".join(lines), Segment.LOG) is None


@pytest.mark.parametrize(
    "needle",
    [
        *NEEDLES,
        "2026-11-20 12:00:03 INFO worker 3 finished job 77310442 in 12ms ref 0a1b2c3d4e",
        "2026-11-20 12:00:03 INFO worker 3 finished job 1003 in 90210ms ref 0a1b2c3d4e",
        "2026-11-20 12:00:03 INFO worker 944 finished job 1003 in 12ms ref 0a1b2c3d4e",
        "2026-11-20 12:00:03 INFO worker 3 finished job 1003 in 12ms ref 0a1b2c3d4e5f6a7b8c",
    ],
)
def test_needle_survives_everywhere_in_a_log(needle: str) -> None:
    lines = _log(200)
    short = shorten("\n".join(lines), Segment.LOG)
    assert short is not None
    assert len(short) < 0.2 * len("\n".join(lines))
    assert lost_needles(shorten, lines, Segment.LOG, (needle,)) == []


def test_odd_status_among_equal_ones_survives_everywhere() -> None:
    lines = [
        f'10.0.0.{host % 9} - - [20/Nov/2026:12:00:{host % 60:02d} +0000] "GET /items/{host} HTTP/1.1" 200 {host % 31}'
        for host in range(200)
    ]
    needle = '10.0.0.3 - - [20/Nov/2026:12:00:10 +0000] "GET /items/17 HTTP/1.1" 418 520'
    assert lost_needles(shorten, lines, Segment.LOG, (needle,)) == []


@pytest.mark.parametrize(
    "line",
    [
        '    "2026-11-20 12:00:00": ("alpha beta", {0}),',
        "    0x{0:04x}, /* INFO entry of table */",
        "2019-01-01 {0:02d}:00:00+00:00  0.0  {0}.5  NaN  NaN",
        "2019-01-01 00:00:00,Berlin,sunny,{0},high",
        "user {0} has role admin in group staff",
        "ERROR worker {0} could not reach the store",
        "2026-11-20 12:00:00 WARNING pool {0} is nearly empty",
    ],
)
def test_what_is_no_harmless_record_stays(line: str) -> None:
    text = "\n".join(line.format(number) for number in range(100))
    assert shorten(text, Segment.LOG) is None


@pytest.mark.parametrize("segment", [one for one in Segment if one not in {Segment.LOG, Segment.TEST, Segment.UNKNOWN}])
def test_files_tables_and_listings_are_left_alone(segment: Segment) -> None:
    assert shorten("\n".join(_log(100)), segment) is None


def test_traceback_between_records_stays_whole() -> None:
    trace = ["Traceback (most recent call last):", '  File "a.py", line 3, in <module>', "ValueError: 3"]
    short = shorten("\n".join((*_log(60), *trace, *_log(60))), Segment.LOG)
    assert short is not None
    assert "\n".join(trace) in short


@settings(max_examples=80, deadline=None)
@given(TEXTS, st.sampled_from(Segment))
def test_says_less_or_nothing(text: str, segment: Segment) -> None:
    assert_says_less_or_nothing(shorten, text, segment)


def test_time_grows_with_the_text_alone() -> None:
    assert_time_grows_with_the_text_alone(shorten, Segment.LOG)
