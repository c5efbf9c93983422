"""Requests, tokens and savings of this run, today and of all time."""

from tokenpakd.control import records
from tokenpakd.control.access import Access
from tokenpakd.control.daemon import Daemon
from tokenpakd.control.dispatch import Verb
from tokenpakd.exchange.views import Stats
from tokenpakd.ipc.control_api import NoParams


async def run(daemon: Daemon, params: NoParams) -> Stats:
    return await records.stats(daemon)


VERB = Verb(name="stats", access=Access.READ, params=NoParams, run=run)
