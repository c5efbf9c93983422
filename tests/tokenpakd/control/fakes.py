"""Verbs of our own, so that dispatch and server are tested without the real ones; the daemon is never asked."""

from typing import cast

import msgspec
import trio

from tokenpakd.config.load import ConfigError, Problem
from tokenpakd.control.access import Access
from tokenpakd.control.daemon import Daemon
from tokenpakd.control.dispatch import AnyVerb, Send, Verb, VerbFailed


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


class Word(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One word, in and out."""

    word: str


class FakeDaemon:
    """All that the server itself asks of a daemon."""

    version = "1.2.3"


DAEMON = cast(Daemon, FakeDaemon())


async def _echo(_: Daemon, params: Word) -> Word:
    return params


async def _refuse(_: Daemon, __: Nothing) -> Word:
    raise VerbFailed("no", hint="Ask later.")


async def _break(_: Daemon, __: Nothing) -> Word:
    raise RuntimeError("sk-secret-in-the-text")


async def _misconfigured(_: Daemon, __: Nothing) -> Word:
    raise ConfigError([Problem(reason="is wrong", key="mode")])


async def _count(_: Daemon, params: Word, send: Send) -> None:
    for number in range(3):
        await send(Word(word=f"{params.word}{number}"))
    if params.word == "for ever":
        await trio.sleep_forever()


async def _flood(_: Daemon, __: Nothing, send: Send) -> None:
    while True:
        await send(Word(word="x" * 10_000))


async def _watch_broken(_: Daemon, __: Nothing, send: Send) -> None:
    await send(Word(word="first"))
    raise RuntimeError("later")


VERBS: tuple[AnyVerb, ...] = (
    Verb(name="echo", access=Access.READ, params=Word, run=_echo),
    Verb(name="change", access=Access.WRITE, params=Word, run=_echo),
    Verb(name="refuse", access=Access.READ, params=Nothing, run=_refuse),
    Verb(name="break", access=Access.READ, params=Nothing, run=_break),
    Verb(name="misconfigured", access=Access.READ, params=Nothing, run=_misconfigured),
    Verb(name="count", access=Access.READ, params=Word, watch=_count),
    Verb(name="flood", access=Access.READ, params=Nothing, watch=_flood),
    Verb(name="watch_broken", access=Access.READ, params=Nothing, watch=_watch_broken),
)
