"""Door: tells the service manager how we are (sd_notify), over the datagram socket it named."""

import os
import socket
import time
from collections.abc import Mapping


class Notifier:
    """Sends state lines to NOTIFY_SOCKET; without one every call is a no-op.

    A manager that does not read must not hold us up: sending never blocks and failures are dropped.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # "@" is how systemd writes an abstract socket, whose name begins with a NUL.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watchdog_s = _watchdog_s(environ)

    @property
    def watchdog_every_s(self) -> float | None:
        """Half of what the manager allows between two signs of life; None when it does not ask for them."""
        return self._watchdog_s / 2 if self._address and self._watchdog_s else None

    def ready(self, status: str) -> None:
        """Say that the daemon serves; also ends a RELOADING."""
        self._send(f"READY=1\nMAINPID={os.getpid()}\nSTATUS={status}")

    def reloading(self) -> None:
        """Say that a reload began; the monotonic stamp lets the manager order it against its own request."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """Say that the drain began."""
        self._send("STOPPING=1\nSTATUS=Draining")

    def status(self, text: str) -> None:
        """Set the line that `systemctl status` shows."""
        self._send(f"STATUS={text}")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def _send(self, lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.setblocking(False)
                channel.sendto(lines.encode(), self._address)
        except OSError:
            pass


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    usec, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not usec.isascii() or not usec.isdigit() or int(usec) == 0 or (pid and pid != str(os.getpid())):
        return None
    return int(usec) / 1_000_000
