"""Exchanges as they end. The store is asked a few times a second: workers owe nobody a message."""

import trio

from tokenpakd.control import records
from tokenpakd.control.access import Access
from tokenpakd.control.daemon import Daemon
from tokenpakd.control.dispatch import INVALID_PARAMS, Send, Verb, VerbFailed
from tokenpakd.exchange.views import ExchangeView
from tokenpakd.ipc.control_api import RECENT_LIMIT_MAX, TailParams

_LOOK_S = 0.25


async def watch(daemon: Daemon, params: TailParams, send: Send) -> None:
    if not 0 <= params.backlog <= RECENT_LIMIT_MAX:
        message = f"backlog {params.backlog} is not between 0 and {RECENT_LIMIT_MAX}"
        raise VerbFailed(message, hint="Run `tokenpakctl tail -f`.", code=INVALID_PARAMS)
    newest = await _look(daemon, limit=max(1, params.backlog), after_key=None)
    # None: the store could not be read. Only what closes from the first good look on is shown then.
    after_key: int | None = None
    if newest is not None:
        after_key = max((exchange.key or 0 for exchange in newest), default=0)
        for exchange in reversed(newest[: params.backlog]):
            await send(exchange)
    while True:
        await trio.sleep(_LOOK_S)
        if after_key is None:
            newest = await _look(daemon, limit=1, after_key=None)
            after_key = None if newest is None else max((exchange.key or 0 for exchange in newest), default=0)
            continue
        for exchange in await _look(daemon, limit=RECENT_LIMIT_MAX, after_key=after_key) or ():
            after_key = max(after_key, exchange.key or 0)
            await send(exchange)


async def _look(daemon: Daemon, *, limit: int, after_key: int | None) -> tuple[ExchangeView, ...] | None:
    """Yield exchanges, or None where the store cannot be read just now; a watcher outlives that."""
    try:
        return await records.recent(daemon, limit=limit, after_key=after_key)
    except VerbFailed:
        return None


VERB = Verb(name="tail", access=Access.READ, params=TailParams, watch=watch)
