"""What every lossy compressor owes, whatever the text: fewer tokens or nothing, the same again, never a fault."""

import time
from collections.abc import Callable

from hypothesis import strategies as st

from tokenpakd.compression.segments import Segment
from tokenpakd.tokens.estimate import estimate

Shorten = Callable[[str, Segment], str | None]

NEEDLES = (
    "ERROR worker 3 lost its lease on shard 12",
    "Traceback (most recent call last):",
    "2026-11-20 12:00:07 INFO tenant kestrel moved to the cold pool",
    "the kettle in the west office prefers rainwater",
    "id=77310442",
)
_PIECES = st.sampled_from(
    (
        "INFO started job 12 of 40\n",
        "2026-11-20 12:00:00 INFO ok in 3ms for 8f3a1c9d\n",
        "tests/test_a.py::test_b PASSED [ 10%]\n",
        "test a::b ... ok\n",
        "==== 12 passed in 0.3s ====\n",
        "--- PASS: TestA (0.00s)\n",
        "[3 similar lines]\n",
        "[12 lines not shown]\n",
        "def f():\n    # why it is so, in words that go on and on and on until they end\n",
        '    """\n',
        "/* a\n",
        "b */ x();\n",
        "The plan is the plan, and the plan holds. It was said before. ",
        "\n\n",
        "a" * 320 + "\n",
        "x/y.js,",
        "\0",
        "\x85",
        "\u2028",
        "\r",
        "`",
        "é漢字",
    )
)
TEXTS = st.one_of(
    st.text(max_size=3_000),
    st.lists(_PIECES, max_size=80).map("".join),
    st.tuples(st.lists(_PIECES, min_size=1, max_size=8).map("".join), st.integers(1, 300)).map(
        lambda it: it[0] * it[1]
    ),
)


def assert_says_less_or_nothing(shorten: Shorten, text: str, segment: Segment) -> None:
    """Check one result: shorter in tokens and bytes, the same at a second call, and left alone when met again."""
    short = shorten(text, segment)
    assert short == shorten(text, segment)
    if short is not None:
        assert estimate(short) + 5 <= estimate(text)
        assert len(short.encode()) < len(text.encode())
        assert shorten(short, segment) in {None, short}


def lost_needles(
    shorten: Shorten, lines: list[str], segment: Segment, needles: tuple[str, ...]
) -> list[tuple[str, int]]:
    """Return every needle that did not survive, with the place where it stood."""
    lost = []
    for needle in needles:
        for place in range(len(lines) + 1):
            text = "\n".join([*lines[:place], needle, *lines[place:]])
            short = shorten(text, segment)
            if short is not None and needle not in short:
                lost.append((needle, place))
    return lost


_HOSTILE = (
    *(
        "\n",
        "x",
        "1",
        " ",
        "\t,",
        "::",
        "a. B",
        '"""\n',
        "`\n//\n",
        "a/b",
        ",a/",
        "@",
        "~/",
        "abcdef12z",
        "1.1a",
        "#\n\n",
    ),
    *("#\n\n", "/* a\n", "[1,", "Ab cd. ", "Tests: 1", " in 1", "12345678-1234-1234-", "--- PASS: T (0.0s)\n"),
    *("    1\t# a\n", "a'b", "\r", "\u2028", "test a ... o", "a::b PASSED x\n", ", ", "https://a", "INFO a b 1\n"),
)
_HOSTILE_CHARS = 100_000
_MOST_S = 6.0
"""Three megabytes take half a second; a quadratic step anywhere takes minutes."""


def assert_time_grows_with_the_text_alone(shorten: Shorten, segment: Segment) -> None:
    """Check texts that make a careless pattern look at each place again and again."""
    began_s = time.perf_counter()
    for piece in _HOSTILE:
        shorten(piece * (_HOSTILE_CHARS // len(piece)) + "\n= 1 passed in 1s =\nPASS\nTests: 1 passed", segment)
        assert time.perf_counter() - began_s < _MOST_S, repr(piece)
