"""Which role a command line names, and what it is given; the roles themselves are not run."""

import sys
from types import ModuleType

import pytest

from tokenpakd.__main__ import EXIT_USAGE, main

Call = tuple[str, tuple[object, ...]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """Roles that remember how they were called; a role that nobody asked for is not imported."""
    found: list[Call] = []
    for name, result in (("supervisor", 3), ("vault", None), ("data_plane", None)):
        _role(monkeypatch, f"tokenpakd.processes.{name}", found, result)
    _role(monkeypatch, "tokenpakd.processes.tool", found, 6)
    _role(monkeypatch, "tokenpakd.demo.main", found, 5)
    return found


def _role(monkeypatch: pytest.MonkeyPatch, name: str, calls: list[Call], result: object) -> None:
    module = ModuleType(name)
    short = name.removeprefix("tokenpakd.").split(".")

    def run(*arguments: object) -> object:
        calls.append((short[-1], arguments))
        return result

    module.main = run  # type: ignore[attr-defined]
    package, _, child = name.rpartition(".")
    monkeypatch.setitem(sys.modules, name, module)
    __import__(package)
    monkeypatch.setattr(sys.modules[package], child, module, raising=False)


@pytest.mark.parametrize(
    ("argv", "call", "code"),
    [
        ([], ("supervisor", ([],)), 3),
        (["serve"], ("supervisor", ([],)), 3),
        (["--port", "9000"], ("supervisor", (["--port", "9000"],)), 3),
        (["serve", "--port", "9000", "serve"], ("supervisor", (["--port", "9000", "serve"],)), 3),
        (["--version"], ("supervisor", (["--version"],)), 3),
        (["demo", "--port", "0"], ("main", (["--port", "0"],)), 5),
        (["tool", "replay", "--json", "x"], ("tool", (["replay", "--json", "x"],)), 6),
        (["tool"], ("tool", ([],)), 6),
        (["worker", "vault", "--link-fd", "4"], ("vault", (4,)), 0),
        (
            ["worker", "data-plane", "--link-fd", "4", "--http-fds", "5,6", "--ws-fds", "7"],
            ("data_plane", (4, (5, 6), (7,))),
            0,
        ),
        (["worker", "data-plane", "--link-fd", "4", "--http-fds", "", "--ws-fds", ""], ("data_plane", (4, (), ())), 0),
    ],
)
def test_the_role_gets_the_rest_of_the_line(
    monkeypatch: pytest.MonkeyPatch, calls: list[Call], argv: list[str], call: Call, code: int
) -> None:
    monkeypatch.setattr(sys, "argv", ["tokenpakd", *argv])
    assert main() == code
    assert calls == [call]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["status"], "unknown command 'status'"),
        (["Serve"], "unknown command 'Serve'"),
        (["worker"], "started by the daemon, not by hand. Run `tokenpakd`."),
        (["worker", "vault"], "not by hand"),
        (["worker", "vault", "--link-fd"], "not by hand"),
        (["worker", "vault", "--link-fd", "x"], "not by hand"),
        (["worker", "data-plane", "--link-fd", "4", "--http-fds", "5;6"], "not by hand"),
        (["worker", "kitchen", "--link-fd", "4"], "no worker is called 'kitchen'"),
    ],
)
def test_what_is_no_role_is_said_on_standard_error_with_64(
    monkeypatch: pytest.MonkeyPatch,
    calls: list[Call],
    capsys: pytest.CaptureFixture[str],
    argv: list[str],
    said: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["tokenpakd", *argv])
    assert main() == EXIT_USAGE == 64
    seen = capsys.readouterr()
    assert (said in seen.err, seen.out, calls) == (True, "", [])
