"""Door: a conversation's mask is raised where it pays, in the store first, then in what is sent."""

import logging
from typing import Protocol

import msgspec

from tokenpakd.compression import masking, registry
from tokenpakd.compression.conversation import Settings
from tokenpakd.config.cache_terms import CacheTerms
from tokenpakd.dataplane.plan import Plan
from tokenpakd.dataplane.stages.compress import Known
from tokenpakd.exchange.row import Pin
from tokenpakd.tip.modes import Mode

log = logging.getLogger("tokenpakd.dataplane")

MASKED_MODES = (Mode.AGGRESSIVE,)
"""A mask loses what it covers, and hybrid promises to lose nothing."""

_LONG_LIVED = (b'"1h"', b'"24h"')
"""Where a body asks the provider to keep its entries longer."""
_MARKER = b'"cache_control"'


class PinStore(Protocol):
    """Where conversations keep what they were pinned to."""

    def load_pin(self, conversation: str, epoch: int) -> Pin | None: ...
    def raise_mask(self, conversation: str, epoch: int, masked_spans: int) -> bool: ...


def standing(plan: Plan, settings: Settings) -> Settings:
    """Return the settings with the conversation's mask as far as it holds for this request."""
    held = masking.standing(plan.look.spans, settings.masked_spans)
    return settings if held == settings.masked_spans else msgspec.structs.replace(settings, masked_spans=held)


def raised(plan: Plan, settings: Settings, known: Known, terms: CacheTerms, pins: PinStore) -> Settings:
    """Return the settings with a higher mask where one is due and stands in the store; else as they were.

    Only where this worker remembers the conversation as it was last sent: how long ago that was decides.
    """
    last, body, key = known.conversation, plan.body, plan.conversation
    wants = plan.snapshot.config.compression.masking and plan.applied in MASKED_MODES and plan.arm == "on"
    if not wants or last is None or body is None or key is None or last.settings != settings:
        return settings
    compressors = registry.compressor_set(settings.compressors)
    if compressors is None or compressors.is_legacy:
        return settings
    if terms.needs_markers and _MARKER not in body:
        terms = terms.without_cache()
    due = masking.decide(
        body,
        plan.look,
        last,
        known.shared,
        idle_s=(plan.inbound.at_unix_ms - last.at_unix_ms) / 1000,
        terms=terms,
        is_long_ttl=any(word in body for word in _LONG_LIVED),
    )
    if due is None:
        return settings
    pin = pins.load_pin(key, plan.snapshot.pin_epoch)
    # A header may have asked for another mode than the conversation's: then its pin does not speak for this request.
    if pin is None or pin.mode != plan.mode.value or not pins.raise_mask(key, pin.epoch, due.masked_spans):
        return settings
    fields = {"conversation": key, "masked_spans": due.masked_spans, "spans": due.spans, "tokens": due.tokens}
    log.info("conversation_masked", extra=fields)
    return msgspec.structs.replace(settings, masked_spans=due.masked_spans)
