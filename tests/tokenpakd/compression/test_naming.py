"""What earlier texts are called."""

import pytest

from tokenpakd.compression.naming import (
    USER,
    changes_something,
    left_out,
    names,
    same_output,
    spaces_numbers,
    speaks_notation,
)
from tokenpakd.exchange.request import Call, Span, SpanKind


def _span(name: str, label: str, kind: SpanKind = SpanKind.TOOL_RESULT) -> Span:
    return Span(0, 2, kind, Call(name, label))


@pytest.mark.parametrize(
    ("name", "label", "expected"),
    [
        ("bash", "cat src/app/fields.py", "fields.py"),
        ("bash", "cat -n fields.py", "fields.py"),
        ("Read", "/home/me/src/a.tar.gz", "a.tar.gz"),
        ("bash", "cd /testbed && python reproduce.py", "reproduce.py"),
        ("bash", "ls -la", '"ls -la"'),
        ("Grep", "TODO", 'Grep "TODO"'),
        ("bash", "pip install 0.9.1 2>&1", '"pip install 0.9.1 2>&1"'),
        ("get_user", "", "get_user"),
        ("TodoWrite", '{"todos":[]}', "TodoWrite"),
        ("get\nuser]\u2028", "", "get user]"),
        ("two\nlines", "TODO", 'two lines "TODO"'),
        ("\n", "TODO", '"TODO"'),
    ],
)
def test_a_block_is_called_by_its_file_else_by_its_command(name: str, label: str, expected: str) -> None:
    assert names(_span(name, label))[0] == expected


def test_a_file_is_known_by_its_name_its_path_and_the_command() -> None:
    found = names(_span("bash", "cat src/app/fields.py"))
    assert found[:2] == ("fields.py", "src/app/fields.py")
    assert len(set(found)) == len(found)
    assert all(len(name) <= 80 for name in names(_span("bash", "word " * 12)))
    assert names(_span("edit", "src/a.py", SpanKind.TOOL_ARGUMENT))[0] == "a.py"


def test_users_have_one_name_and_the_nameless_none() -> None:
    assert names(Span(0, 2, SpanKind.USER_TEXT)) == (USER,)
    assert names(Span(0, 2, SpanKind.TOOL_RESULT)) == ()
    assert names(_span("\n", "")) == ()


@pytest.mark.parametrize(
    ("call", "times", "is_whole", "said"),
    [
        (Call("bash", "ls"), 1, True, '[same output as your earlier "ls" (bash), unchanged]'),
        (Call("bash", "ls", 2), 3, True, '[same output as your 2nd "ls" (bash), unchanged]'),
        (Call("bash", "ls"), 1, False, '[same text as in the output of your earlier "ls" (bash), unchanged]'),
        (Call("list\nall  users", "", 11), 12, True, "[same output as your 11th list all users call, unchanged]"),
        (Call("x" * 99, "", 101), 101, True, f"[same output as your 101st {'x' * 64} call, unchanged]"),
    ],
)
def test_an_equal_output_is_told_by_its_call(call: Call, times: int, *, is_whole: bool, said: str) -> None:
    assert same_output(call, times=times, is_whole=is_whole) == said


def test_a_masked_output_says_whose_it_was() -> None:
    assert left_out(Call("bash", "ls")) == '[old output of your earlier "ls" (bash) left out]'
    assert left_out(Call("bash", "")) == "[old bash output left out]"


@pytest.mark.parametrize(
    ("text", "is_ours"),
    [
        ('x\n[12 lines as in a.py "def x"]\ny', True),
        ("[+3 lines as in a.py, numbers +5]", True),
        ('[2 lines as above "def x"]', True),
        ("[same output as your earlier x (bash), unchanged]", True),
        ('    [12 lines as in a.py "def x"]', False),
        ("there are 12 lines as in a.py", False),
        ("[same as before]", False),
        ("", False),
    ],
)
def test_our_own_words_are_recognised(text: str, *, is_ours: bool) -> None:
    assert speaks_notation(text) is is_ours


@pytest.mark.parametrize("name", ["Read", "read", "read_file", "view", "open_file", "mcp__fs__read_file"])
def test_tools_that_read_files_write_a_blank_behind_numbers(name: str) -> None:
    assert spaces_numbers(Call(name, "a.py"))
    assert not changes_something(Call(name, "a.py"))


@pytest.mark.parametrize("name", ["Bash", "grep", "search_thread", "overview", "reader"])
def test_other_tools_do_not(name: str) -> None:
    assert not spaces_numbers(Call(name, "a.py"))
    assert not spaces_numbers(None)


@pytest.mark.parametrize("name", ["Edit", "MultiEdit", "Write", "TodoWrite", "replace", "write_file", "apply_patch"])
def test_tools_that_change_something(name: str) -> None:
    assert changes_something(Call(name, "a.py"))
    assert not changes_something(None)
