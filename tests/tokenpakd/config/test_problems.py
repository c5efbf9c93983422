"""How values and suggestions are written."""

import pytest

from tokenpakd.config.problems import ConfigError, Problem, did_you_mean, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (5, "5"),
        ("a\nb", "'a\\nb'"),
        ("x" * 100, f"'{'x' * 60}…'"),
        ({"a": 1}, None),
        ("sk-abcdef", "(not shown)"),
        ("AKIA0123456789ABCDEFGHIJKL", "(not shown)"),
        ("https://me:pw@host/", "'https://(not shown)@host/'"),
        ("https://api.example.com/prefix", "'https://api.example.com/prefix'"),
    ],
)
def test_shows_a_value_in_one_line_and_no_secret(value: object, text: str | None) -> None:
    assert shown(value) == text


def test_suggests_only_what_is_near() -> None:
    assert did_you_mean("prot", ["port", "mode"]) == "Did you mean port?"
    assert did_you_mean("zzz", ["port", "mode"]) is None


def test_an_error_lists_its_problems_line_by_line() -> None:
    error = ConfigError(
        [Problem(reason="bad", key="a", source="TOKENPAK_A"), Problem(reason="worse", file="f", line=3)]
    )
    assert str(error) == "TOKENPAK_A: a: bad\nf:3: worse"
