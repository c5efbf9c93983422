"""Begin the drain. The daemon is gone when its process is; tokenpakctl waits for that."""

import os
from collections.abc import Mapping

from tokenpakd.control.access import Access
from tokenpakd.control.daemon import Daemon
from tokenpakd.control.dispatch import Verb
from tokenpakd.ipc.control_api import NoParams, StopResult


async def run(daemon: Daemon, params: NoParams) -> StopResult:
    await daemon.stop()
    return StopResult(pid=daemon.pid, service_manager=service_manager(os.environ))


def service_manager(environ: Mapping[str, str]) -> str | None:
    """Yield who started the process of this environment and starts it again: systemd, launchd or nobody.

    INVOCATION_ID does not tell: a terminal that is a unit itself hands it down to all that is started in it.
    """
    if environ.get("NOTIFY_SOCKET") or environ.get("SYSTEMD_EXEC_PID") == str(os.getpid()):
        return "systemd"
    # Terminals have a service name of their own, or "0".
    return "launchd" if environ.get("XPC_SERVICE_NAME", "").endswith(".tokenpakd") else None


VERB = Verb(name="stop", access=Access.WRITE, params=NoParams, run=run)
