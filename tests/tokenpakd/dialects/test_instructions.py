"""Which texts instruct the model."""

import pytest

from tokenpakd.dialects import instructions

HEADER = rb'"Contents of /repo/CLAUDE.md (project instructions):\n\nbe brief"'


@pytest.mark.parametrize(
    ("words", "are"),
    [
        ("/repo/CLAUDE.md", True),
        ("cat Docs/Agents.MD | head", True),
        ("grep x .cursor/rules/a.mdc", True),
        ("/home/me/.claude/skills/review/SKILL.md", True),
        ("/repo/.claude/rules/testing.md", True),
        ("/repo/.github/instructions/python.instructions.md", True),
        ("README.md", False),
        ("rules.py", False),
        ("", False),
    ],
)
def test_named(words: str, *, are: bool) -> None:
    assert instructions.are_named(words) is are


@pytest.mark.parametrize(
    ("literal", "are"),
    [
        (HEADER, True),
        (rb'"# AGENTS.md instructions for /repo\n<INSTRUCTIONS>"', True),
        (b'"keep to Claude.md, please"', True),
        (b'"see .clinerules"', True),
        (b'"see README.md"', False),
        (b'"the rules of the game"', False),
        (b'""', False),
    ],
)
def test_mentioned(literal: bytes, *, are: bool) -> None:
    body = b'["CLAUDE.md ",' + literal + b'," CLAUDE.md"]'
    assert instructions.are_mentioned(body, 14, 14 + len(literal)) is are


@pytest.mark.parametrize(
    ("literal", "are"),
    [
        (HEADER, True),
        (b'"' + b"x" * 5_000 + rb"\n<system-reminder>\n" + HEADER[1:-1] + rb'\n</system-reminder>"', True),
        (
            b'"'
            + b"x" * 5_000
            + rb"\n\u003csystem-reminder\u003e"
            + HEADER[1:-1]
            + rb'\u003c/system-reminder\u003e\n"',
            True,
        ),
        (b'"<system-reminder>Contents of a.py:' + b"x" * 900 + HEADER[1:-1] + rb'\n</system-reminder>"', True),
        (b'"' + b"x" * 5_000 + rb'\n<system-reminder>\nbe careful with CLAUDE.md\n</system-reminder>"', False),
        (b'"' + b"x" * 5_000 + rb'\n<system-reminder>\nContents of README.md\nCLAUDE.md</system-reminder>"', False),
        (rb'"total 3\nCLAUDE.md\nREADME.md"', False),
        (rb'"Contents of README.md:\nsee CLAUDE.md"', False),
        (b'"' + b"Contents of x " * 5_000 + HEADER[1:], False),
        (b'""', False),
    ],
)
def test_contained(literal: bytes, *, are: bool) -> None:
    body = b'["' + HEADER[1:] + b"," + literal + b"," + HEADER + b"]"
    start = len(HEADER) + 2
    assert body[start : start + len(literal)] == literal
    assert instructions.are_contained(body, start, start + len(literal)) is are
