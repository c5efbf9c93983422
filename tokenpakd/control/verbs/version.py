"""Who answers."""

import platform

from tokenpakd.control.access import Access
from tokenpakd.control.daemon import Daemon
from tokenpakd.control.dispatch import Verb
from tokenpakd.ipc.control_api import PROTOCOL, NoParams, VersionResult


async def run(daemon: Daemon, params: NoParams) -> VersionResult:
    return VersionResult(version=daemon.version, protocol=PROTOCOL, pid=daemon.pid, python=platform.python_version())


VERB = Verb(name="version", access=Access.READ, params=NoParams, run=run)
