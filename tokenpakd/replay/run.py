"""Requests through the engine, one by one, with the memory carried along as the data plane does."""

from collections.abc import Iterable, Iterator

import msgspec

from tokenpakd.compression import engine, registry, splice
from tokenpakd.compression.conversation import Conversation, Verdict
from tokenpakd.compression.conversation import Settings as EngineSettings
from tokenpakd.dialects.registry import dialect
from tokenpakd.exchange.request import Look
from tokenpakd.replay.conversation import Request
from tokenpakd.tip.modes import Mode


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay is run with.

    `restart_every` n forgets everything before each n-th request, as a restart of the daemon in the middle of a
    conversation does; 0 never.
    """

    mode: Mode
    min_cacheable_tokens: int = 1024
    restart_every: int = 0


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One request as the client made it and as it would be sent; the same object where nothing changed."""

    request: Request
    sent: bytes
    verdicts: tuple[Verdict, ...] = ()
    known_spans: int = 0


def steps(requests: Iterable[Request], settings: Settings) -> Iterator[Step]:
    """Yield each request with what is sent for it."""
    known: Conversation | None = None
    pinned = engine_settings(settings)
    for number, request in enumerate(requests, 1):
        if settings.mode is Mode.STRICT:
            yield Step(request=request, sent=request.body)
            continue
        if settings.restart_every and number % settings.restart_every == 0:
            known = None
        outcome = engine.compress(request.body, seen(request), known, pinned)
        known = outcome.conversation
        sent = splice.splice(request.body, outcome.replacements)
        yield Step(request=request, sent=sent, verdicts=outcome.verdicts, known_spans=outcome.known_spans)


def engine_settings(settings: Settings) -> EngineSettings:
    """Return what a conversation is pinned to that begins in this mode."""
    compressors = registry.set_name(settings.mode)
    return EngineSettings(compressors=compressors, min_cacheable_tokens=settings.min_cacheable_tokens)


def seen(request: Request) -> Look:
    """Return the look that the data plane takes at a request."""
    return dialect(request.dialect).look(request.body, want_spans=True, path=request.path)
