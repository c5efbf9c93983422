"""End the daemon and wait until it is gone."""

from __future__ import annotations

import time

from tokenpakctl.client import is_alive
from tokenpakctl.render import View
from tokenpakctl.session import OK, Failed, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

# The drain may take 30 s; a daemon that is still there long after that needs a person.
_DEFAULT_TIMEOUT_S = 45.0


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--timeout", type=float, default=_DEFAULT_TIMEOUT_S, metavar="S", help="wait this long (45)")


def run(options: argparse.Namespace, session: Session) -> int:
    result = session.call("stop")
    pid = View(result).whole("pid")
    if pid is None:
        raise Failed("tokenpakd did not name its pid", "Run `tokenpakctl status`.")
    deadline = time.monotonic() + float(options.timeout)
    while is_alive(pid):
        if time.monotonic() >= deadline:
            hint = "It is finishing requests; run `tokenpakctl status`, or `kill -TERM` its pid to cut them."
            raise Failed(f"tokenpakd (pid {pid}) still runs after {options.timeout:g} s", hint, code="timeout")
        time.sleep(0.02)
    ended = f"tokenpakd (pid {pid}) has stopped"
    manager = View(result).text("service_manager", "")
    if manager not in ("systemd", "launchd"):
        session.emit({"pid": pid, "stopped": True}, ended)
        return OK
    from tokenpakctl.unit_templates import stop_command

    keep = " ".join(stop_command(manager))
    session.emit(
        {"pid": pid, "stopped": True, "started_again_by": manager, "keep_stopped": keep},
        f"{ended}; {manager} starts it again. To keep it stopped:\n  {keep}",
    )
    return OK
