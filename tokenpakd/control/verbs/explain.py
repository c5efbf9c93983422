"""One exchange: which span became what, by which compressor, and why the others stayed."""

from tokenpakd.control import records
from tokenpakd.control.access import Access
from tokenpakd.control.daemon import Daemon
from tokenpakd.control.dispatch import INVALID_PARAMS, Verb, VerbFailed
from tokenpakd.exchange.views import ExplainView
from tokenpakd.ipc.savings_api import ExplainParams

_ID_MAX = 200


async def run(daemon: Daemon, params: ExplainParams) -> ExplainView:
    if not 0 < len(params.id) <= _ID_MAX:
        raise VerbFailed("that is no request id", hint="Run `tokenpakctl recent`.", code=INVALID_PARAMS)
    found = await records.explain(daemon, params.id)
    if found is None:
        raise VerbFailed(f"no exchange {params.id} is on record", hint="Run `tokenpakctl recent`.")
    return found


VERB = Verb(name="explain", access=Access.READ, params=ExplainParams, run=run)
