"""Requests through the engine, one by one, with the memory carried along as the data plane does."""

from collections.abc import Iterable, Iterator

import msgspec

from tokenpakd.compression import registry, splice
from tokenpakd.dialects.registry import dialect
from tokenpakd.replay.conversation import Request
from tokenpakd.tip.modes import Mode


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One request as the client made it and as it would be sent; the same object where nothing changed."""

    request: Request
    sent: bytes
    spans: int
    replaced: int


def steps(requests: Iterable[Request], mode: Mode, *, restart_every: int = 0) -> Iterator[Step]:
    """Yield each request with what is sent for it.

    `restart_every` n forgets everything before each n-th request, as a restart of the daemon does; 0 never.
    """
    for request in requests:
        look = dialect(request.dialect).look(request.body, want_spans=mode is not Mode.STRICT, path=request.path)
        changes = tuple(
            change for one in registry.compressors(mode) for change in one.replacements(request.body, look.spans)
        )
        sent = splice.splice(request.body, changes)
        yield Step(request=request, sent=sent, spans=len(look.spans), replaced=len(changes))
