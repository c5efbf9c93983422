"""One exchange, room by room."""

from tokenpakd.control import records
from tokenpakd.control.access import Access
from tokenpakd.control.daemon import Daemon
from tokenpakd.control.dispatch import INVALID_PARAMS, Verb, VerbFailed
from tokenpakd.exchange.views import TraceView
from tokenpakd.ipc.control_api import TraceParams

_ID_MAX = 200


async def run(daemon: Daemon, params: TraceParams) -> TraceView:
    if not 0 < len(params.id) <= _ID_MAX:
        raise VerbFailed("that is no request id", hint="Run `tokenpakctl recent`.", code=INVALID_PARAMS)
    found = await records.trace(daemon, params.id)
    if found is None:
        raise VerbFailed(f"no exchange {params.id} is on record", hint="Run `tokenpakctl recent`.")
    return found


VERB = Verb(name="trace", access=Access.READ, params=TraceParams, run=run)
