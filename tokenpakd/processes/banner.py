"""What the daemon says once it serves: readable lines on a terminal, one log line with the same facts elsewhere."""

import logging
import sys

from tokenpakd.control.daemon import Daemon

log = logging.getLogger(__name__)


def show(daemon: Daemon, *, missing_ipv6: bool) -> None:
    """Name both listeners, mode, vault blocks and control socket."""
    where = daemon.listening
    log.info(
        "started",
        extra={
            "version": daemon.version,
            "pid": daemon.pid,
            "http": list(where.http),
            "websocket": list(where.websocket),
            "mode": daemon.mode.value,
            "vault_blocks": daemon.vault().blocks,
            "control_socket": where.control_socket,
        },
    )
    if missing_ipv6:
        log.warning("no_ipv6", extra={"hint": "listening on 127.0.0.1 only: this machine has no [::1]"})
    if sys.stderr.isatty():
        sys.stderr.write("\n".join(lines(daemon)) + "\n")


def lines(daemon: Daemon) -> tuple[str, ...]:
    """Yield the banner, line by line."""
    where = daemon.listening
    return (
        f"TokenPak {daemon.version}, pid {daemon.pid}",
        f"  Listening: {'  '.join(where.http)}",
        f"  WebSocket: {'  '.join(f'{url}/ws' for url in where.websocket)}",
        f"  Mode:      {daemon.mode.value} ({daemon.mode_source})",
        f"  Vault:     {daemon.vault().blocks} blocks",
        f"  Control:   {where.control_socket}",
    )
