"""Scripts for three shells, and one line of usage."""

import os
import shutil
import subprocess

import pytest

from tokenpakctl import cli, completions


def test_completion_knows_every_verb_and_its_words() -> None:
    bash, zsh, fish = completions.bash(), completions.zsh(), completions.fish()
    for verb in cli.SUMMARIES:
        assert f"    {verb}) words=" in bash
        assert f"    {verb}) compadd" in zsh
        assert f"-a {verb} " in fish
    assert 'mode) words="strict hybrid aggressive --json --now"' in bash


def test_the_bash_script_completes() -> None:
    script = completions.bash() + (
        'COMP_WORDS=(tokenpakctl mode str); COMP_CWORD=2; _tokenpakctl; echo "${COMPREPLY[@]}"\n'
        'COMP_WORDS=(tokenpakctl --json res); COMP_CWORD=2; _tokenpakctl; echo "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(["bash"], input=script, capture_output=True, text=True, check=True, env=dict(os.environ))
    assert done.stdout == "strict\nresume restart\n"


def test_nothing_leaves_the_quotes_of_zsh_and_fish() -> None:
    for line in completions.fish().splitlines():
        assert line.count("'") % 2 == 0, line
    assert "'mode:" in completions.zsh()
    assert completions._quoted("the daemon's \\mode") == "'the daemon’s mode'"


@pytest.mark.parametrize(("shell", "script"), [("zsh", completions.zsh), ("fish", completions.fish)])
def test_the_other_scripts_are_good_syntax(shell: str, script: object) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    subprocess.run([shell, "-n"], input=script(), text=True, check=True)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("verb", "line"),
    [
        ("status", "tokenpakctl status [--json]"),
        ("mode", "tokenpakctl mode [--json] [strict|hybrid|aggressive] [--now]"),
        ("trace", "tokenpakctl trace [--json] ID"),
        ("recent", "tokenpakctl recent [--json] [--limit N]"),
    ],
)
def test_usage_is_one_line(verb: str, line: str) -> None:
    assert completions.usage(verb) == line


def test_every_option_of_every_verb_is_offered() -> None:
    for one in completions.words():
        names = {name for action in completions.actions(one.verb) for name in action.option_strings}
        assert {name for name in names if name.startswith("--")} == {name for name, _ in one.options}
        assert set(one.all.split()) >= {"--json", *one.values}
