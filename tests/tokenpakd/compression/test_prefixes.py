"""What neighbouring lines begin with is said once, and can be told back exactly."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpakd.compression.prefixes import READS, restore, shorten
from tokenpakd.compression.segments import Segment
from tokenpakd.tokens.estimate import estimate

SEARCH = """\
src/marshmallow/fields.py:15:from marshmallow.compat import text_type
src/marshmallow/fields.py:340:        if isinstance(value, Mapping):
src/marshmallow/fields.py:341:            raise ValidationError
src/marshmallow/fields.py:990:    def _validate(self):
src/marshmallow/schema.py:1:import os
src/marshmallow/utils.py:16:from marshmallow.compat import Mapping
"""
LISTING = """\
total 292
drwxrwxrwx 1 root root   4096 Apr  9 06:16 .
-rw-r--r-- 1 root root    185 Nov 22  2024 .deepsource.toml
-rw-r--r-- 1 root root    682 Nov 22  2024 .dockerignore
-rw-r--r-- 1 root root    386 Nov 22  2024 .editorconfig
-rw-r--r-- 1 root root 128071 Nov 22  2024 CHANGELOG.md
drwxrwxrwx 2 root root   4096 Nov 22  2024 src
"""
LOG = """\
DEBUG:sqlfluff.rules:[L003] Evaluating line #1
DEBUG:sqlfluff.rules:[L003] Evaluating line #2
DEBUG:sqlfluff.rules:[L003] Fixing line #2
DEBUG:sqlfluff.rules:[L003] Done
"""
TEXTS = st.lists(
    st.sampled_from(
        ["src/a.py:", "src/a.py-", "src/b.py:", "12:", ":", "::", "/", "\\", " ", "\t", '"', "[", "]", "\n", "\n", "\n",
         "\r", "\x85", "\u2028", "[2 lines begin ", '[2 lines begin "src/a.py:"]', "lines begin", "INFO ",
         "-rw-r--r-- 1 root root ", "2026-05-03 10:00:00 ", "word", "Requirement already satisfied: ", "é"]
    ),
    max_size=80,
).map("".join)  # fmt: skip
LINES = st.lists(
    st.builds(
        "{}{}".format,
        st.sampled_from(
            ["src/app/main.py:", "src/app/main.py:12:", "src/app/other.py: ", "[2026] INFO x: ", "", "a b "]
        ),
        st.text('ab:/ "\\\n', max_size=8),
    ),
    min_size=4,
    max_size=40,
).map("\n".join)


def test_file_name_of_a_search_is_said_once() -> None:
    assert (
        shorten(SEARCH, Segment.SEARCH)
        == """\
[4 lines begin "src/marshmallow/fields.py:"]
15:from marshmallow.compat import text_type
340:        if isinstance(value, Mapping):
341:            raise ValidationError
990:    def _validate(self):
src/marshmallow/schema.py:1:import os
src/marshmallow/utils.py:16:from marshmallow.compat import Mapping
"""
    )


def test_what_stands_around_hits_keeps_its_marks() -> None:
    around = "\n".join(
        f"src/my-2024-01-app/fields.py{mark}{number}{mark}    value = {number}"
        for number, mark in enumerate("--:--:-", 118)
    )
    other = "src/my-2024-01-app/schema.py-7-x\nsrc/my-2024-01-app/schema.py:8:y"
    text = f"{around}\n--\n{other}"
    shorter = shorten(text, Segment.SEARCH)
    assert shorter is not None
    assert shorter.split("\n")[:4] == [
        '[7 lines begin "src/my-2024-01-app/fields.py"]',
        "-118-    value = 118",
        "-119-    value = 119",
        ":120:    value = 120",
    ]
    assert shorter.endswith(f"\n--\n{other}"), "too little to say"
    assert restore(shorter) == text
    assert shorten(text, Segment.LISTING) is None


def test_columns_of_a_listing_are_said_once() -> None:
    assert (
        shorten(LISTING, Segment.LISTING)
        == """\
total 292
drwxrwxrwx 1 root root   4096 Apr  9 06:16 .
[4 lines begin "-rw-r--r-- 1 root root "]
   185 Nov 22  2024 .deepsource.toml
   682 Nov 22  2024 .dockerignore
   386 Nov 22  2024 .editorconfig
128071 Nov 22  2024 CHANGELOG.md
drwxrwxrwx 2 root root   4096 Nov 22  2024 src
"""
    )


DATED = "".join(f"2026-11-20 10:0{number}:00 worker-{number} took job {number}\n" for number in range(9))


@pytest.mark.parametrize("text", [LOG, DATED, DATED.replace("2026", "[2026").replace(":00 ", ":00] ")])
@pytest.mark.parametrize("segment", [Segment.UNKNOWN, Segment.LOG, Segment.TEST])
def test_a_line_of_a_log_stays_in_one_piece(text: str, segment: Segment) -> None:
    assert shorten(text, segment) is None


def test_longest_prefix_that_pays_is_taken() -> None:
    text = "".join(
        f"Requirement already satisfied: {name}>=1.0 in /opt/env/lib\n" for name in ("numpy", "pandas", "six")
    )
    shorter = shorten(text, Segment.LOG)
    assert shorter is not None
    assert shorter.startswith('[3 lines begin "Requirement already satisfied: "]\nnumpy>=1.0')


@pytest.mark.parametrize(
    ("lines", "never_cut"),
    [
        (["src/app/one.py", "src/app/two.py", "src/app/three.py"], "src/app/"),
        (["tests/test_a.py::test_one PASSED", "tests/test_a.py::test_two PASSED"], "::"),
        (["https://host.example/one", "https://host.example/two"], "https:"),
        (["C:\\work\\app\\one", "C:\\work\\app\\two"], "C:"),
        (["2026-05-03 10:00:01 x", "2026-05-03 10:00:02 x"], "10:00:"),
        (["some_identifier_one = 1", "some_identifier_two = 2"], "some_identifier"),
        (["src/app/main.py:    return one", "src/app/main.py:    return two"], "main.py:    "),
        (["from marshmallow.compat import one", "from marshmallow.compat import two"], "from "),
        (["    indented_only: one", "    indented_only: two"], "    "),
        (['name "quoted": one', 'name "quoted": two'], '"quoted'),
    ],
)
def test_prefix_ends_where_nothing_is_torn(lines: list[str], never_cut: str) -> None:
    shorter = shorten("\n".join(lines * 8), Segment.UNKNOWN)
    heading = "" if shorter is None else shorter.split("\n")[0]
    assert not heading.endswith(f'{never_cut}"]')
    if shorter is not None:
        assert restore(shorter) == "\n".join(lines * 8)


def test_line_of_code_behind_a_path_stays_in_one_piece() -> None:
    lines = [f"src/app/deep/main.py:        value_{name} = 1" for name in "abcdef"]
    shorter = shorten("\n".join(lines), Segment.SEARCH)
    assert shorter is not None
    assert shorter.split("\n")[1:] == [f"        value_{name} = 1" for name in "abcdef"]


def test_any_words_may_begin_a_logs_lines() -> None:
    text = "\n".join(f"Requirement already satisfied: {name} in /opt/lib" for name in ("numpy", "six", "pytz", "attrs"))
    assert shorten(text, Segment.UNKNOWN) is None
    assert shorten(text, Segment.LOG) == (
        '[4 lines begin "Requirement already satisfied: "]\n'
        "numpy in /opt/lib\nsix in /opt/lib\npytz in /opt/lib\nattrs in /opt/lib"
    )


@pytest.mark.parametrize("segment", sorted(set(Segment) - READS))
def test_views_diffs_and_prose_are_not_read(segment: Segment) -> None:
    assert shorten(SEARCH, segment) is None


def test_text_that_speaks_our_notation_is_left_alone() -> None:
    assert shorten('[2 lines begin "x:"]\n' + SEARCH, Segment.SEARCH) is None


def test_equal_lines_are_not_ours() -> None:
    assert shorten("Requirement already satisfied: \n" * 20, Segment.LOG) is None


@given(st.one_of(TEXTS, LINES), st.sampled_from(sorted(READS)))
def test_told_back_shorter_and_stable(text: str, segment: Segment) -> None:
    shorter = shorten(text, segment)
    assert shorter == shorten(text, segment)
    if shorter is not None:
        assert restore(shorter) == text
        assert len(shorter) < len(text)
        assert len(shorter.encode()) < len(text.encode())
        assert estimate(shorter) < estimate(text)
        assert shorten(shorter, segment) is None


@given(TEXTS)
def test_foreign_notation_never_makes_restoring_fail(text: str) -> None:
    restore(text)


@pytest.mark.parametrize(
    "text",
    [
        "error: foo bar baz\n" * 60_000,
        "a b " * 500_000,
        "\n".join("word " * count for count in range(600)),
        "\n".join("word " * (80 - count % 80) for count in range(5_000)),
        "\n".join("abcd.py: x" if count % 4 else "" for count in range(80_000)),
        "\n".join("abcd::" * 70 + str(count) for count in range(3_000)),
        "abcd:x\nabcd x\n" * 70_000,
        "\n" * 1_000_000,
    ],
    ids=[
        "identical",
        "one line",
        "longer and longer",
        "shorter and shorter",
        "not worth it",
        "no end",
        "short",
        "empty",
    ],
)
def test_hostile_text_costs_linear_time(text: str) -> None:
    begun = time.perf_counter()
    shorten(text, Segment.LOG)
    assert time.perf_counter() - begun < 1.5  # 0.2 s per MB, and a machine that is busy


def test_recorded_outputs_are_told_back_exactly() -> None:
    folder = Path(__file__).parents[4] / "shared" / "data" / "mini-swe-agent"
    recordings = sorted(folder.glob("*.json"))
    if not recordings:
        pytest.skip(f"no recordings in {folder}")
    shortened = 0
    for recording in recordings:
        for message in json.loads(recording.read_bytes())["messages"]:
            if message["role"] == "tool":
                shorter = shorten(message["content"], Segment.UNKNOWN)
                shortened += shorter is not None
                assert shorter is None or restore(shorter) == message["content"]
    assert shortened > 5
