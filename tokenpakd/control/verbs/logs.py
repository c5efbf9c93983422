"""Where the log goes. The caller reads the file itself: it is the same user."""

import os
from collections.abc import Mapping

from tokenpakd.control.access import Access
from tokenpakd.control.daemon import Daemon
from tokenpakd.control.dispatch import Verb
from tokenpakd.ipc.control_api import LogsResult, NoParams


async def run(daemon: Daemon, params: NoParams) -> LogsResult:
    return LogsResult(path=daemon.log_path, under_systemd=goes_to_journal(os.environ, 2))


def goes_to_journal(environ: Mapping[str, str], fd: int) -> bool:
    """Yield whether systemd connected this descriptor to the journal; a child with another stderr inherits the name."""
    try:
        status = os.fstat(fd)
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


VERB = Verb(name="logs", access=Access.READ, params=NoParams, run=run)
