from pathlib import Path

import pytest

from tests.tokenpakd.control.daemon_double import DaemonDouble
from tokenpakd.control.worker_views import telemetry_result, worker_results
from tokenpakd.exchange.row import TelemetryState
from tokenpakd.ipc.worker_api import Heartbeat, WorkerView


def test_a_worker_is_shown_with_its_load_and_one_without_a_heartbeat_with_none(tmp_path: Path) -> None:
    daemon = DaemonDouble(tmp_path)
    daemon.worker_views = (
        WorkerView(name="a", pid=1, state="ready", restarts=2, rss_mb=40.0),
        WorkerView(name="b", pid=None, state="dead", restarts=9, rss_mb=0.0),
    )
    daemon.beats = {
        "a": Heartbeat(in_flight=3, connections=5, telemetry=TelemetryState(state="locked")),
        "gone": Heartbeat(in_flight=7),
    }
    shown = [
        (one.name, one.pid, one.state, one.restarts, one.in_flight, one.connections, one.telemetry_state)
        for one in worker_results(daemon)
    ]
    assert shown == [("a", 1, "ready", 2, 3, 5, "locked"), ("b", None, "dead", 9, 0, 0, None)]


@pytest.mark.parametrize(
    ("states", "worst"),
    [
        ([], "ok"),
        (["ok", "ok"], "ok"),
        (["locked", "ok"], "locked"),
        (["locked", "full", "missing"], "full"),
        (["error", "corrupt", "read_only"], "corrupt"),
        (["corrupt", "a state of a later version"], "a state of a later version"),
    ],
)
def test_the_worst_store_speaks_for_all_and_rows_add_up(tmp_path: Path, states: list[str], worst: str) -> None:
    daemon = DaemonDouble(tmp_path)
    daemon.beats = {
        str(number): Heartbeat(telemetry=TelemetryState(state=state, rows_waiting=2, rows_lost=1))
        for number, state in enumerate(states)
    }
    found = telemetry_result(daemon)
    assert (found.state, found.rows_waiting, found.rows_lost) == (worst, 2 * len(states), len(states))
    assert found.database == str(tmp_path / "telemetry.db")
