"""Room: what need not be sent a second time. Any failure keeps the original bytes."""

from collections.abc import Sequence

import msgspec

from tokenpakd.compression import registry, splice
from tokenpakd.dataplane.plan import Plan
from tokenpakd.dialects.classify import EndpointKind
from tokenpakd.exchange.request import Span
from tokenpakd.tip.modes import Mode
from tokenpakd.tokens.estimate import estimate_saved


def apply(plan: Plan) -> tuple[Plan, str]:
    """Replace spans of the body as the applied mode allows; strict keeps the received object."""
    if plan.applied is Mode.STRICT or plan.body is None or plan.endpoint.kind is not EndpointKind.MESSAGES:
        return plan, "untouched"
    if not plan.look.spans:
        return plan, "no spans"
    try:
        changes = _changes(plan.applied, plan.body, plan.look.spans)
        body = splice.splice(plan.body, changes)
        saved = sum(estimate_saved(plan.body[change.start : change.end], change.literal) for change in changes)
    except Exception as exc:  # noqa: BLE001
        # The one place where a fault of ours must cost nothing: the request goes out as it came.
        return plan, f"kept the original ({type(exc).__name__})"
    if body is plan.body or len(body) >= len(plan.body):
        return plan, "nothing repeated"
    plan = msgspec.structs.replace(plan, body=body, spans_replaced=len(changes), saved_tokens=saved)
    return plan, f"{len(changes)} spans, {saved} tokens"


def _changes(mode: Mode, body: bytes, spans: Sequence[Span]) -> tuple[splice.Replacement, ...]:
    found = [change for each in registry.compressors(mode) for change in each.replacements(body, spans)]
    return tuple(sorted(found, key=lambda change: change.start))
