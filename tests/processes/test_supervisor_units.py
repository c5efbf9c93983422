"""The service units: complete, accepted by the tools of their platform, in step with the daemon's exit codes."""

import configparser
import plistlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tokenpakd.processes import supervisor
from tokenpakd.supervision.child import KILL_AFTER_DRAIN_S
from tokenpakd.supervision.listeners import BACKLOG

ROOT = Path(__file__).resolve().parents[2]
UNITS = ("tokenpakd.service", "tokenpakd.socket", "tokenpakd-ws.socket")
FILLED_IN = {"@EXEC@": "/bin/true", "@PORT@": "8766", "@WS_PORT@": "8767", "@WRITABLE@": "/tmp"}
WORST_SCORE = 2.5  # a user unit cannot name another User=; the network, /proc and the home stay reachable on purpose


def written(folder: Path) -> list[str]:
    for name in UNITS:
        text = (ROOT / "systemd" / name).read_text()
        for placeholder, value in FILLED_IN.items():
            text = text.replace(placeholder, value)
        (folder / name).write_text(text)
    return [str(folder / name) for name in UNITS]


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(ROOT / "systemd" / name)
    return parser


def test_every_placeholder_is_documented_at_the_top_and_none_is_unknown() -> None:
    for path in (*(ROOT / "systemd" / name for name in UNITS), ROOT / "launchd" / "ai.tokenpak.tokenpakd.plist"):
        text = path.read_text()
        used = set(re.findall(r"@[A-Z_]+@", text))
        assert used <= {*FILLED_IN, "@LOG@"}
        for placeholder in used:
            assert text.count(placeholder) >= 2, (path, placeholder)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_systemd_accepts_the_units_and_finds_them_hardened(tmp_path: Path) -> None:
    paths = written(tmp_path)
    verified = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True, check=False)
    complaints = [line for line in verified.stderr.splitlines() if str(tmp_path) in line]
    assert (verified.returncode, complaints) == (0, [])
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", paths[0]]
    judged = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.search(r"exposure level for \S+: ([\d.]+)", judged)
    assert found is not None, judged
    assert float(found[1]) <= WORST_SCORE


def test_the_service_agrees_with_the_daemon() -> None:
    service = unit("tokenpakd.service")["Service"]
    codes = {supervisor.EXIT_ANOTHER_RUNS, supervisor.EXIT_UNSAFE, supervisor.EXIT_CONFIG, 64}
    assert {int(code) for code in service["RestartPreventExitStatus"].split()} == codes
    assert (service["Type"], service["NotifyAccess"], service["Restart"]) == ("notify", "main", "always")
    assert int(service["TimeoutStopSec"]) > supervisor.DRAIN_S + KILL_AFTER_DRAIN_S
    assert "AF_NETLINK" in service["RestrictAddressFamilies"].split()


@pytest.mark.parametrize(("name", "purpose"), [("tokenpakd.socket", "http"), ("tokenpakd-ws.socket", "ws")])
def test_the_sockets_carry_the_names_that_the_daemon_looks_for(name: str, purpose: str) -> None:
    held = unit(name)["Socket"]
    assert (held["FileDescriptorName"], held["Service"]) == (purpose, "tokenpakd.service")
    assert int(held["Backlog"]) == BACKLOG
    text = (ROOT / "systemd" / name).read_text()
    assert re.findall(r"ListenStream=(\S+):@", text) == ["127.0.0.1", "[::1]"]


def test_the_agent_is_a_property_list_that_keeps_the_daemon_alive() -> None:
    agent = plistlib.loads((ROOT / "launchd" / "ai.tokenpak.tokenpakd.plist").read_bytes())
    assert agent["KeepAlive"] is True
    assert agent["ExitTimeOut"] > supervisor.DRAIN_S + KILL_AFTER_DRAIN_S
    assert agent["Umask"] == 0o077
