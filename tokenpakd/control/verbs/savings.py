"""What was removed, what the provider measured, and what that saved: three sets of figures, never added up."""

from functools import partial

from tokenpakd.control import records
from tokenpakd.control.access import Access
from tokenpakd.control.comparison import judged
from tokenpakd.control.daemon import Daemon
from tokenpakd.control.dispatch import INVALID_PARAMS, Verb, VerbFailed
from tokenpakd.control.input_bill import raw_and_saved, weights_of
from tokenpakd.exchange.savings import SavingsBy
from tokenpakd.ipc.savings_api import SavingsParams, SavingsResult

_UNIX_MS_MAX = 253_402_300_799_000
TOO_LONG = "reading took too long"
"""What the store says when its time for readers was up."""


async def run(daemon: Daemon, params: SavingsParams) -> SavingsResult:
    since = params.since_unix_ms or 0
    if not 0 <= since <= _UNIX_MS_MAX:
        message = f"since_unix_ms {since} is no time"
        raise VerbFailed(message, hint="Run `tokenpakctl savings --since 7d`.", code=INVALID_PARAMS)
    if params.by == "repo":
        message = "savings by repository cannot be told: repositories are not recorded yet"
        raise VerbFailed(message, hint="Run `tokenpakctl savings --by model`, or by day or arm.")
    by, book = None if params.by is None else SavingsBy(params.by), records.cache_terms()
    try:
        found, by_model = await records.savings(
            daemon, since_unix_ms=since, by=by, weights_of=partial(weights_of, book)
        )
    except VerbFailed as exc:
        if TOO_LONG not in exc.message:
            raise
        # Hundreds of thousands of exchanges: a reader may not hold the store for longer.
        raise VerbFailed(exc.message, hint="Ask for less: `tokenpakctl savings --since 7d`.") from exc
    bill = raw_and_saved(by_model, book)
    return SavingsResult(
        since_unix_ms=since,
        by=params.by,
        total=found.total,
        groups=found.groups,
        groups_left_out=found.groups_left_out,
        raw_milli_units=None if bill is None else bill[0],
        share=None if bill is None or bill[0] <= 0 else bill[1] / bill[0],
        terms_as_of=book.as_of,
        holdout=judged(found.arms),
    )


VERB = Verb(name="savings", access=Access.READ, params=SavingsParams, run=run)
