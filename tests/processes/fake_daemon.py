"""The real supervisor and the real vault worker, with the fake data plane in the place of the real one."""

import sys
from pathlib import Path

from tokenpakd.processes import supervisor
from tokenpakd.supervision.child import Command, CommandFactory, Kind, worker_commands
from tokenpakd.supervision.listeners import Listeners

FAKE = Path(__file__).with_name("fake_data_plane.py")


def commands(held: Listeners) -> CommandFactory:
    """Yield the real command of the vault worker and the fake one of the data plane."""
    real = worker_commands(held.http_fds, held.websocket_fds)

    def command(kind: Kind, link_fd: int) -> Command:
        asked = real(kind, link_fd)
        if kind == "vault":
            return asked
        return Command(argv=(sys.executable, str(FAKE), *asked.argv[6:]), pass_fds=asked.pass_fds)

    return command


if __name__ == "__main__":
    sys.exit(supervisor.main(sys.argv[1:], commands))
