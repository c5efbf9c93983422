"""Runs of lines that stand above already are said by what they are called, and mean nothing else."""

import pytest

from tokenpakd.compression.line_text import TOOL_OUTPUT, USER_TEXT, Limits, split
from tokenpakd.compression.lines import LineIndex

FILE = [f"def {name}_{n}(self, value):" for n, name in enumerate(("load", "dump", "walk", "read", "sort", "show") * 3)]
TEXT = "\n".join(FILE)


def _index(*texts: tuple[str, str]) -> LineIndex:
    index = LineIndex()
    for name, text in texts:
        index.learn(split(text), (name,))
    return index


def _folded(index: LineIndex, text: str, limits: Limits = TOOL_OUTPUT, *, sees_itself: bool = False) -> str | None:
    found = index.fold(split(text), limits, sees_itself=sees_itself)
    return None if found is None else found.text


def _numbered(lines: list[str], first: int, style: str = "{}:") -> str:
    return "\n".join(style.format(n) + line for n, line in enumerate(lines, first))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TEXT, '[18 lines as in a.py "def load_0"]'),
        (f"before\n{TEXT}\nbehind", 'before\n[18 lines as in a.py "def load_0"]\nbehind'),
        ("\n".join(FILE[3:9]), '[6 lines as in a.py "def read_3"]'),
        (
            "\n".join([*FILE[:5], "changed", *FILE[6:]]),
            '[5 lines as in a.py "def load_0"]\nchanged\n[12 lines as in a.py "def load_6"]',
        ),
        (f"<output>\n{TEXT}\n</output>", '<output>\n[18 lines as in a.py "def load_0"]\n</output>'),
        (FILE[4], None),
        ("nothing of it\nat all", None),
        ("", None),
    ],
)
def test_a_run_is_told_by_its_file_and_its_first_line(text: str, said: str | None) -> None:
    assert _folded(_index(("a.py", TEXT)), text) == said


@pytest.mark.parametrize(
    ("known", "text", "said"),
    [
        (_numbered(FILE, 1), TEXT, '[18 lines as in a.py "def load_0", without numbers]'),
        (_numbered(FILE, 1), _numbered(FILE, 1), '[18 lines as in a.py "def load_0"]'),
        (_numbered(FILE, 1), _numbered(FILE, 6), f"6:{FILE[0]}\n[+17 lines as in a.py, numbers +5]"),
        (_numbered(FILE, 50), _numbered(FILE, 1, "{:6}\t"), f"     1\t{FILE[0]}\n[+17 lines as in a.py, numbers -49]"),
        (TEXT, _numbered(FILE, 7), f"7:{FILE[0]}\n[+17 lines as in a.py, numbers count on]"),
    ],
)
def test_line_numbers_are_no_obstacle(known: str, text: str, said: str) -> None:
    assert _folded(_index(("a.py", known)), text) == said


def test_a_heading_goes_only_with_all_that_stands_below_it() -> None:
    first, second = ['[3 lines begin "src/a.py:"]', *FILE[:3]], ['[3 lines begin "src/b.py:"]', *FILE[3:6]]
    index = _index(("rg", "\n".join([*first, *second])))
    kept = [*second[:3], "5:changed"]
    assert _folded(index, "\n".join([*first, *kept])) == (
        '[4 lines as in rg 1st "[3 lines"]\n[3 lines begin "src/b.py:"]\n[2 lines as in rg "def read_3"]\n5:changed'
    )
    assert _folded(index, "\n".join([*first, *second])) == '[8 lines as in rg 1st "[3 lines"]'


def test_the_second_of_a_kind_is_called_the_second() -> None:
    index = _index(("a.py", f"{FILE[0]} pass\nother\n{TEXT}"))
    assert _folded(index, TEXT) in (
        '[18 lines as in a.py 2nd "def load_0"]',
        '[18 lines as in a.py "def load_0(self, value):"]',
    )
    crowd = "\n".join(f"def load_0(self, value): # {n}" for n in range(9))
    assert (
        _folded(_index(("a.py", f"{crowd}\n{TEXT}")), TEXT) == f'{FILE[0]}\n[17 lines as in a.py 1st "def dump_1"]'
    ), "the next line can be told; def dump_13 begins like it"


def test_of_several_that_begin_alike_it_is_said_which_is_meant() -> None:
    """The same function before and after an edit: a reader must not take the other one's lines for these."""
    old = [
        "def save(self):",
        "    self.check_all_fields()",
        "    self.write_to_disk()",
        "    return self.result_of_old",
    ]
    new = [old[0], "    self.check_nothing()", "    self.write_to_memory()", "    return self.result_of_new"]
    index = _index(("a.py", "\n".join(old)), ("a.py", "\n".join(new)))
    assert _folded(index, "\n".join(old)) == '[4 lines as in a.py 1st "def save"]'
    assert _folded(index, "\n".join(new)) == '[4 lines as in a.py 2nd "def save"]'


def test_a_line_that_stayed_finds_its_like_only_where_one_goes_on() -> None:
    """Below a line that stayed no place is said: there is to be one only. What was folded itself is none."""
    other = "\n".join([FILE[0], *(f"{line} # other" for line in FILE[1:])])
    index = _index(("a.py", _numbered(FILE, 1)))
    for shift in range(1, 9):
        found = index.fold(split(_numbered(FILE, 1 + shift)), TOOL_OUTPUT)
        assert found is not None
        assert found.text == f"{1 + shift}:{FILE[0]}\n[+17 lines as in a.py, numbers +{shift}]"
        index.learn(found.lines, ("a.py",))
    index.learn(split(_numbered(FILE, 30)), ("a.py",))
    assert _folded(index, _numbered(FILE, 6)) == f"6:{FILE[0]}\n[+17 lines as in a.py, numbers +5]"
    index.learn(split(other), ("a.py",))
    said = _folded(index, _numbered(FILE, 6))
    assert said == f"6:{FILE[0]}\n7:{FILE[1]}\n[+16 lines as in a.py, numbers +5]"


def test_what_no_quote_finds_is_not_pointed_at() -> None:
    same = "\n".join(["def f(self, value):"] * 9)
    index = LineIndex()
    index.learn(split(same), ("a.py",))
    index.learn(split(f"{same}\nx"), ("a.py",))
    assert index.fold(split("- - -\n* * *\n" * 30), TOOL_OUTPUT) is None
    index.learn(split("- - -\n* * *\n" * 30), ("b.py",))
    assert index.fold(split("- - -\n* * *\n" * 30), TOOL_OUTPUT) is None


def test_a_block_without_a_name_is_not_pointed_at() -> None:
    index = LineIndex()
    index.learn(split(TEXT), ())
    assert _folded(index, TEXT) is None


def test_what_a_pointer_stands_for_is_not_pointed_at() -> None:
    index = _index(("a.py", "\n".join(FILE[:6])))
    found = index.fold(split(TEXT), TOOL_OUTPUT)
    assert found is not None
    assert found.text == "\n".join(['[6 lines as in a.py "def load_0"]', *FILE[6:]])
    index.learn(found.lines, ("b.py",))
    assert _folded(index, TEXT) == '[6 lines as in a.py "def load_0"]\n[12 lines as in b.py "def load_6"]'


def test_no_run_goes_over_the_end_of_a_text() -> None:
    index = _index(("a.py", "\n".join(FILE[:9])), ("b.py", "\n".join(FILE[9:])))
    assert _folded(index, TEXT) == '[9 lines as in a.py "def load_0"]\n[9 lines as in b.py "def read_9"]'


def test_a_text_that_is_no_target_still_answers_to_its_name() -> None:
    index = LineIndex()
    index.learn(split(f"{FILE[0]} pass"), ("a.py",), is_target=False)
    index.learn(split(TEXT), ("a.py",))
    said = _folded(index, TEXT)
    assert said is not None
    assert '"def load_0"' not in said.replace('2nd "', ""), "the first line that begins so is another one"
    index.learn(split("\n".join(FILE).replace("def", "fun")), ("b.py",), is_target=False)
    assert _folded(index, TEXT.replace("def", "fun")) is None


def test_users_are_pointed_out_more_only() -> None:
    index = _index(("a.py", TEXT))
    short = "\n".join(FILE[:3])
    assert _folded(index, short) is not None
    assert _folded(index, short, USER_TEXT) is None
    assert _folded(index, TEXT, USER_TEXT) == '[18 lines as in a.py "def load_0"]'


def test_a_text_that_repeats_itself_points_at_its_own_beginning() -> None:
    twice = f"{TEXT}\nbetween\n{TEXT}"
    assert _folded(LineIndex(), twice) is None
    assert _folded(LineIndex(), twice, sees_itself=True) == f'{TEXT}\nbetween\n[18 lines as above "def load_0"]'


def test_the_line_that_stays_above_a_pointer_counts_as_one_of_the_text() -> None:
    index = _index(("a.py", _numbered(FILE, 1)))
    tail = "9:other_thing(one, two, three)\n10:other_thing(four, five, six)"
    repeated = f"8:{FILE[0]}\n{tail}"
    said = _folded(index, f"{_numbered(FILE, 50)}\n{repeated}\nunlike\n{repeated}", sees_itself=True)
    assert said is not None
    assert '2nd "def load_0' in said or '"9:' in said


def test_rolled_back_an_index_is_as_if_it_had_never_learned() -> None:
    later = [f"{line} # later" for line in FILE]
    index = _index(("a.py", TEXT))
    mark = index.mark()
    before = _folded(index, TEXT)
    for name in ("a.py", "b.py"):
        index.learn(split("\n".join([*later, *FILE])), (name,))
    assert _folded(index, "\n".join(later)) is not None
    index.rollback(mark)
    assert index.mark() == mark
    assert len(index) == len(_index(("a.py", TEXT)))
    assert _folded(index, "\n".join(later)) is None
    assert _folded(index, TEXT) == before
    index.rollback(mark)
    index.rollback(0)
    assert _folded(index, TEXT) is None


def test_many_equal_lines_with_numbers_of_their_own_cost_little() -> None:
    """Each pair of them agrees in its contents and in nothing else."""
    index = _index(("a.py", "\n".join(f"{n * 3}:    return None" for n in range(1_500))))
    text = "\n".join(f"{n * 3 + n * n % 3 + 5}:    return None" for n in range(1_500))
    assert len(_folded(index, text) or text) <= len(text)
