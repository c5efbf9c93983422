"""The answer on its way back: each read sent on at once, never decoded; a copy is metered.

The row is committed before the last byte goes out, so whoever saw the whole answer finds it on record. An answer
that breaks off is visibly cut in the caller's dialect: never a clean end, never a forged end mark.
"""

from typing import Protocol

import trio

from tokenpakd.dataplane.exchange_log import ExchangeLog
from tokenpakd.dataplane.plan import Plan
from tokenpakd.dataplane.stages import forward
from tokenpakd.dataplane.upstream import Answer
from tokenpakd.dialects.registry import dialect
from tokenpakd.exchange.faults import TimedOut, UpstreamError
from tokenpakd.exchange.row import Outcome
from tokenpakd.telemetry.metering import Meter
from tokenpakd.tip import headers


class Client(Protocol):
    """The caller's end of an exchange; the doors implement it."""

    @property
    def status(self) -> int | None:
        """The status sent, None before a head went out."""
        ...

    async def start(self, status: int, fields: list[tuple[bytes, bytes]]) -> None:
        """Begin the reply; the head may be held until `write`, `finish` or `flush`."""
        ...

    async def flush(self) -> None:
        """Send a held head now."""
        ...

    async def write(self, data: bytes) -> None:
        """Send body bytes on in one write."""
        ...

    async def finish(self, data: bytes = b"") -> None:
        """Send the last body bytes and end the reply in good order."""
        ...

    async def abort(self, data: bytes = b"") -> None:
        """Send these bytes and end the connection so that the reply is visibly cut."""
        ...


async def relay(plan: Plan, answer: Answer, client: Client, journal: ExchangeLog) -> None:
    """Pass an answer on to its end.

    Raises:
      trio.Cancelled: the client left; the upstream connection is closed.
    """
    try:
        await _pass_on(plan, answer, client, journal)
    finally:
        answer.body.close()


async def _pass_on(plan: Plan, answer: Answer, client: Client, journal: ExchangeLog) -> None:
    body, received = answer.body, answer.headers
    status = journal.upstream_status = answer.status
    journal.ttfb_ms = round(journal.elapsed_ms(), 3)
    meter = Meter(
        plan.endpoint.dialect,
        content_type=_field(received, b"content-type"),
        content_encoding=_field(received, b"content-encoding"),
    )
    # In a body of announced length there is no room for an event of ours; that it ends short is to be seen.
    tells_cut = meter.is_plain and _field(received, b"content-length") is None
    try:
        await client.start(status, _fields(plan, received, journal))
        piece = body.take_first()
        if not piece and not body.is_complete:
            await client.flush()
        while True:
            if piece:
                meter.feed(piece)
                journal.bytes_returned += len(piece)
            if body.is_complete:
                break
            if piece:
                await client.write(piece)
            piece = await body.read()
    except UpstreamError as error:
        kind = _field(received, b"content-type") if tells_cut else None
        await _cut(plan, error, meter, client, journal, content_type=kind)
        return
    except trio.Cancelled:
        # What was used until the client left is still paid for.
        journal.usage = meter.finish().usage
        raise
    metered = meter.finish()
    error_code = metered.error_code
    if status >= 400 or error_code is not None:
        outcome = Outcome.UPSTREAM_ERROR
    elif metered.ended_clean is False and plan.look.is_stream:
        # Well framed, but the stream's own end mark never came.
        outcome = Outcome.UPSTREAM_CUT
    else:
        outcome = Outcome.OK
    journal.close(outcome, status=status, usage=metered.usage, error_code=error_code, note=metered.note)
    await client.finish(piece)


def _field(fields: list[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    return next((value for key, value in fields if key.lower() == name), None)


def _fields(plan: Plan, received: list[tuple[bytes, bytes]], journal: ExchangeLog) -> list[tuple[bytes, bytes]]:
    assert plan.route is not None
    fields = forward.reply_headers(received)
    fields.append((headers.REQUEST_ID.encode(), plan.inbound.id.encode()))
    fields.append((headers.MODE.encode(), plan.applied.value.encode()))
    fields.append((headers.SAVED_TOKENS.encode(), b"%d" % plan.saved_tokens))
    fields.append((headers.CACHE.encode(), b"bypass"))
    fields.append((headers.PROVIDER.encode(), plan.route.provider.name.encode()))
    if plan.snapshot.safe_mode:
        fields.append((headers.DEGRADED.encode(), b"safe_mode"))
    fields.append((headers.SERVER_TIMING.encode(), b"tokenpak;dur=%.2f" % journal.overhead_ms))
    return fields


async def _cut(
    plan: Plan, error: UpstreamError, meter: Meter, client: Client, journal: ExchangeLog, *, content_type: bytes | None
) -> None:
    """End an answer that broke off: say so where the wire lets us, then close without the framing's end.

    `content_type` is None where nothing can be said.
    """
    metered = meter.finish()
    outcome = Outcome.UPSTREAM_TIMEOUT if isinstance(error, TimedOut) else Outcome.UPSTREAM_CUT
    journal.close(outcome, status=client.status, usage=metered.usage, error_code=metered.error_code, note=str(error))
    event = b""
    if content_type is not None:
        event = dialect(plan.endpoint.dialect).cut_event(
            message=f"tokenpak: the provider's answer broke off ({error})",
            request_id=plan.inbound.id,
            mid_event=not meter.at_event_boundary,
            content_type=content_type,
        )
    await client.abort(event)
