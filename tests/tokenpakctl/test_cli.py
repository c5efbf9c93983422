"""Which verbs there are, and how little a command loads."""

import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import tokenpakctl.commands
import tokenpakd.control.verbs
from tests.tokenpakctl.commands.samples import STATUS
from tests.tokenpakctl.control_double import ControlDouble, run
from tokenpakctl import cli, completions, reference
from tokenpakctl.alias import daemon_command
from tokenpakd.control.verbs import VERBS

ROOT = Path(__file__).parents[2]
FORBIDDEN = (
    "trio",
    "httpx",
    "hypercorn",
    "apsw",
    "asyncio",
    "msgspec",
    "yaml",
    "platformdirs",
    "subprocess",
    "difflib",
)


def _modules(package_path: list[str]) -> set[str]:
    return {module.name for module in pkgutil.iter_modules(package_path)}


def test_verbs_commands_and_the_reference_page_agree() -> None:
    verbs = _modules(list(tokenpakd.control.verbs.__path__))
    commands = _modules(list(tokenpakctl.commands.__path__))
    assert {verb.name for verb in VERBS} == verbs
    assert commands == set(cli.SUMMARIES)
    assert commands - cli.LOCAL == verbs
    page = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    assert {line[3:] for line in page.splitlines() if line.startswith("## ")} == commands


def test_the_reference_page_is_up_to_date() -> None:
    for name, text in reference.pages().items():
        assert (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8") == text, "run `make reference`"


def test_help_lists_every_verb_with_its_line(environ: dict[str, str]) -> None:
    ran = run(environ, "--help")
    assert ran.code == 0
    for verb, summary in cli.SUMMARIES.items():
        assert f"  {verb.ljust(10)}  {summary}\n" in ran.out


@pytest.mark.parametrize("verb", sorted(cli.SUMMARIES))
def test_every_verb_has_help(environ: dict[str, str], verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        run(environ, verb, "--help")
    assert leaving.value.code == 0
    assert cli.SUMMARIES[verb].split()[0] in capsys.readouterr().out


def test_a_misspelt_verb_is_answered_with_the_nearest(environ: dict[str, str]) -> None:
    ran = run(environ, "--json", "statsu")
    assert (ran.code, ran.json["error"]["code"]) == (2, "usage")
    assert "did you mean 'stats'?" in ran.json["error"]["message"]


def test_wrong_arguments_are_refused_in_the_form_that_was_asked_for(environ: dict[str, str]) -> None:
    told = run(environ, "mode", "loose")
    assert (told.code, told.out) == (2, "")
    assert "'loose'" in told.err
    assert "tokenpakctl mode --help" in told.err
    ran = run(environ, "mode", "loose", "--json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "usage")


def test_several_problems_stand_in_lines_of_their_own(environ: dict[str, str], daemon: ControlDouble) -> None:
    daemon.answers = {"reload": {"error": {"code": -32000, "message": "one\x1b[2J\ntwo"}}}
    assert run(environ, "reload").err.splitlines()[:2] == ["tokenpakctl: one�[2J", "two"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_behind_stdout_is_named(environ: dict[str, str]) -> None:
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "tokenpakctl.cli", "--help"]
        ran = subprocess.run(
            command, env=environ, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (ran.returncode, ran.stderr) == (1, "tokenpakctl: the answer cannot be written: No space left on device\n")


def test_a_terminal_without_our_signs_gets_words(environ: dict[str, str]) -> None:
    command = [sys.executable, "-m", "tokenpakctl.cli", "doctor"]
    ascii_only = environ | {"PYTHONIOENCODING": "ascii"}
    ran = subprocess.run(command, env=ascii_only, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    assert "\nok packages: complete" in ran.stdout


def test_status_loads_nothing_heavy_and_no_other_verb(environ: dict[str, str], daemon: ControlDouble) -> None:
    daemon.answers["status"] = STATUS
    program = (
        "import json, os, sys; from tokenpakctl import cli; code = cli.run(['status', '--json'], os.environ);"
        "print(json.dumps([code, sorted(sys.modules)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True, cwd=ROOT
    )
    answer, loaded = done.stdout.splitlines()
    code, modules = json.loads(loaded)
    assert code == 0
    assert json.loads(answer) == STATUS
    assert [name for name in FORBIDDEN if name in modules] == []
    assert [name for name in modules if name.startswith("tokenpakctl.commands.")] == ["tokenpakctl.commands.status"]
    assert {name for name in modules if name.startswith("tokenpakd")} <= {
        "tokenpakd", "tokenpakd.paths", "tokenpakd.tip", "tokenpakd.tip.modes"
    }  # fmt: skip


def test_the_alias_keeps_the_interpreter_and_distrusts_the_working_folder() -> None:
    assert daemon_command(["serve", "--port", "0"]) == [
        sys.executable, "-P", "-m", "tokenpakd", "serve", "--port", "0"
    ]  # fmt: skip


def test_the_alias_hands_other_verbs_to_tokenpakctl(environ: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tokenpakctl.alias", "status", "--json"],
        env=environ, capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 69
    assert json.loads(done.stdout)["error"]["code"] == "unavailable"


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


def test_the_alias_becomes_the_daemon(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "trio.py").write_text("raise SystemExit('the working folder was trusted')\n")
    done = subprocess.run(
        [str(Path(sys.executable).with_name("tokenpak")), "serve", "--check-config"],
        env=environ, capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
