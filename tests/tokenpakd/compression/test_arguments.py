"""Strings among a call's arguments."""

import pytest

from tokenpakd.compression.arguments import strings


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ('{"command":"ls","timeout":5,"quiet":true,"none":null}', ("ls",)),
        ('{"path":"a.py","edits":[{"old":"x","new":"y"},{"old":"z"}]}', ("a.py", "x", "y", "z")),
        ('{"a":{"b":{"c":"deep"}}}', ("deep",)),
        ('{"a":{"b":{"c":{"d":"too deep"}}}}', ()),
        ("{}", ()),
        ("*** Begin Patch", ("*** Begin Patch",)),
        ('["a","b"]', ('["a","b"]',)),
        ('{"a":', ('{"a":',)),
    ],
)
def test_strings_are_found_a_few_levels_down(arguments: str, found: tuple[str, ...]) -> None:
    assert strings(arguments) == found


def test_depth_beyond_reason_is_one_text() -> None:
    arguments = '{"a":' + "[" * 100_000 + "]" * 100_000 + "}"
    assert strings(arguments) == (arguments,)
