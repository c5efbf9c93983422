"""What a command works with: where it prints, whom it asks, what it says when nothing came of it."""

import json
from io import StringIO

import pytest

import tokenpakd
from tests.tokenpakctl.control_double import ControlDouble
from tokenpakctl.client import CallFailed, NoDaemon
from tokenpakctl.session import Session


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def _session(environ: dict[str, str], *, as_json: bool = False) -> tuple[Session, StringIO, StringIO]:
    out, err = StringIO(), StringIO()
    return Session(environ, as_json=as_json, out=out, err=err), out, err


@pytest.mark.parametrize(
    ("variables", "as_json", "is_terminal", "colour"),
    [
        ({}, False, True, True),
        ({}, False, False, False),
        ({}, True, True, False),
        ({"TERM": "dumb"}, False, True, False),
        ({"NO_COLOR": "1"}, False, True, False),
        ({"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, False, True, False),
        ({"CLICOLOR_FORCE": "1"}, False, False, True),
        ({"CLICOLOR_FORCE": "0"}, False, False, False),
        ({"CLICOLOR_FORCE": "1"}, True, True, False),
    ],
)
def test_colour_only_where_it_is_wanted(
    variables: dict[str, str], as_json: bool, is_terminal: bool, colour: bool
) -> None:
    session = Session(variables, as_json=as_json, out=Terminal() if is_terminal else StringIO())
    assert session.colour is colour


def test_an_answer_is_text_or_one_object(environ: dict[str, str]) -> None:
    session, out, _ = _session(environ)
    session.emit({"a": [1]}, "for people")
    machine, lines, _ = _session(environ, as_json=True)
    machine.emit({"a": [1]}, "for people")
    assert (out.getvalue(), lines.getvalue()) == ("for people\n", '{"a":[1]}\n')


def test_a_complaint_is_two_harmless_lines_or_one_object(environ: dict[str, str]) -> None:
    session, out, err = _session(environ)
    session.complain("x", "no\x1b", "Run `this`.")
    session.complain("x", "no", "")
    assert (out.getvalue(), err.getvalue()) == ("", "tokenpakctl: no�\n  Run `this`.\ntokenpakctl: no\n")
    machine, lines, said = _session(environ, as_json=True)
    machine.complain(-32000, "no\x1b", "h")
    assert json.loads(lines.getvalue()) == {"error": {"code": -32000, "message": "no\x1b", "hint": "h"}}
    assert said.getvalue() == ""


def test_without_a_daemon_asking_yields_nothing_and_calling_fails(environ: dict[str, str]) -> None:
    session, _, _ = _session(environ)
    assert session.ask("status") is None
    with pytest.raises(NoDaemon):
        session.call("status")


def test_a_daemon_that_says_no_is_no_answer(environ: dict[str, str], daemon: ControlDouble) -> None:
    session, _, _ = _session(environ)
    assert session.ask("status") is None
    with pytest.raises(CallFailed):
        session.call("status")


def test_parameters_go_out_and_events_come_back(environ: dict[str, str], daemon: ControlDouble) -> None:
    daemon.answers |= {"recent": {"requests": []}, "tail": {}}
    daemon.events["tail"] = [{"id": "a"}, {"id": "b"}]
    session, _, _ = _session(environ)
    assert session.call("recent", limit=3) == {"requests": []}
    assert list(session.watch("tail", backlog=0)) == [{"id": "a"}, {"id": "b"}]
    assert [request["params"] for request in daemon.requests] == [{"limit": 3}, {"backlog": 0}]


@pytest.mark.parametrize(("version", "times"), [("9.9.9", 1), (tokenpakd.__version__, 0)])
def test_a_daemon_of_another_version_is_named_once_and_not_in_the_answer(
    environ: dict[str, str], daemon: ControlDouble, version: str, times: int
) -> None:
    daemon.hello = {"version": version, "protocol": 1}
    daemon.answers["status"] = {}
    session, out, err = _session(environ, as_json=True)
    session.call("status")
    session.ask("status")
    assert err.getvalue().count(f"talks to tokenpakd {version}") == times
    assert out.getvalue() == ""


def test_paths_follow_the_environment_given(environ: dict[str, str]) -> None:
    session, _, _ = _session(environ)
    assert str(session.paths.state_dir) == environ["TOKENPAK_HOME"]
    assert session.paths is session.paths
