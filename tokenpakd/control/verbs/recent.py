"""The last exchanges, newest first."""

from tokenpakd.control import records
from tokenpakd.control.access import Access
from tokenpakd.control.daemon import Daemon
from tokenpakd.control.dispatch import INVALID_PARAMS, Verb, VerbFailed
from tokenpakd.exchange.views import Recent
from tokenpakd.ipc.control_api import RECENT_LIMIT_MAX, RecentParams


async def run(daemon: Daemon, params: RecentParams) -> Recent:
    if not 1 <= params.limit <= RECENT_LIMIT_MAX:
        message = f"limit {params.limit} is not between 1 and {RECENT_LIMIT_MAX}"
        raise VerbFailed(message, hint="Run `tokenpakctl recent --limit 100`.", code=INVALID_PARAMS)
    return Recent(requests=await records.recent(daemon, limit=params.limit))


VERB = Verb(name="recent", access=Access.READ, params=RecentParams, run=run)
