"""Which verbs there are, and how little a command loads."""

import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import tokenpakctl.commands
import tokenpakd.control.verbs
from tests.tokenpakctl.commands.samples import STATUS
from tests.tokenpakctl.control_double import ControlDouble, run
from tokenpakctl import cli
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
