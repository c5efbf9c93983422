"""Models that passed through here, and the names that are known. No provider is asked."""

from tokenpakd.control import records
from tokenpakd.control.access import Access
from tokenpakd.control.daemon import Daemon
from tokenpakd.control.dispatch import Verb
from tokenpakd.control.provider_views import pattern_results
from tokenpakd.ipc.control_api import ModelResult, ModelsResult, NoParams


async def run(daemon: Daemon, params: NoParams) -> ModelsResult:
    by_model = (await records.stats(daemon)).by_model
    return ModelsResult(
        seen=tuple(
            ModelResult(model=model, requests=figures.requests, figures=figures) for model, figures in by_model.items()
        ),
        patterns=pattern_results(daemon.loaded),
    )


VERB = Verb(name="models", access=Access.READ, params=NoParams, run=run)
