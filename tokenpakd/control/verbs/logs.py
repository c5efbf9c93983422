"""Where the log goes. The caller reads the file itself: it is the same user."""

import os

from tokenpakd.control.access import Access
from tokenpakd.control.daemon import Daemon
from tokenpakd.control.dispatch import Verb
from tokenpakd.ipc.control_api import LogsResult, NoParams


async def run(daemon: Daemon, params: NoParams) -> LogsResult:
    # systemd sets it where stderr is a stream to the journal.
    return LogsResult(path=daemon.log_path, under_systemd="JOURNAL_STREAM" in os.environ)


VERB = Verb(name="logs", access=Access.READ, params=NoParams, run=run)
