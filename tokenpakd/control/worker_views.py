"""Workers as the control verbs show them: what the supervisor knows, with the last heartbeat beside it."""

from tokenpakd.control.daemon import Daemon
from tokenpakd.ipc.control_api import TelemetryResult, WorkerResult

# From harmless to serious; what is not listed is as serious as can be.
_TELEMETRY_STATES = ("ok", "locked", "missing", "newer_schema", "read_only", "full", "error", "corrupt")


def worker_results(daemon: Daemon) -> tuple[WorkerResult, ...]:
    """Yield every worker with its load."""
    heartbeats = daemon.heartbeats()
    found = []
    for worker in daemon.workers():
        beat = heartbeats.get(worker.name)
        found.append(
            WorkerResult(
                name=worker.name,
                pid=worker.pid,
                state=worker.state,
                restarts=worker.restarts,
                rss_mb=worker.rss_mb,
                in_flight=beat.in_flight if beat else 0,
                connections=beat.connections if beat else 0,
                telemetry_state=beat.telemetry.state if beat else None,
            )
        )
    return tuple(found)


def telemetry_result(daemon: Daemon) -> TelemetryResult:
    """Yield the worst state of the workers, what waits in them, and what they and dead ones lost."""
    states = [beat.telemetry for beat in daemon.heartbeats().values()]
    return TelemetryResult(
        state=max((state.state for state in states), key=_seriousness, default="ok"),
        rows_waiting=sum(state.rows_waiting for state in states),
        rows_lost=sum(state.rows_lost for state in states) + daemon.rows_lost,
        database=daemon.database,
    )


def _seriousness(state: str) -> int:
    return _TELEMETRY_STATES.index(state) if state in _TELEMETRY_STATES else len(_TELEMETRY_STATES)
