"""Conversations of an agent, as the compress room meets them: plans that went through the parse room."""

import json

from tests.tokenpakd.dataplane.fakes import plan, snapshot
from tokenpakd.config import cache_terms
from tokenpakd.dataplane.plan import Plan
from tokenpakd.dataplane.stages import parse
from tokenpakd.exchange.row import Pin
from tokenpakd.ipc.worker_api import Snapshot
from tokenpakd.tip.modes import Mode

TERMS = cache_terms.load()
FILE = "\n".join(f"def function_{number}(left, right): return left * {number} + right" for number in range(60))


def body(*results: str, task: str = "fix it", **more: object) -> bytes:
    """Return a request of a conversation in which a tool answered with these texts."""
    messages: list[dict[str, object]] = [{"role": "user", "content": task}]
    for number, text in enumerate(results):
        use = {"type": "tool_use", "id": f"t{number}", "name": "bash", "input": {"command": f"show {number}"}}
        answer = {"type": "tool_result", "tool_use_id": f"t{number}", "content": text}
        messages += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [answer]}]
    return json.dumps({"model": "claude-sonnet-4-5", "max_tokens": 8, "messages": messages, **more}).encode()


def looked(
    raw: bytes, *headers: tuple[bytes, bytes], given: Snapshot | None = None, pins: dict[str, Pin] | None = None
) -> Plan:
    """Return the plan as the parse room leaves it; a pin it makes is kept in `pins`."""
    known = {} if pins is None else pins

    def find(conversation: str, epoch: int) -> Pin | None:
        pin = known.get(conversation)
        return pin if pin is not None and pin.epoch >= epoch else None

    found, _ = parse.look(plan(*headers, body=raw, snapshot=given or snapshot(mode=Mode.HYBRID)), find, TERMS.terms_for)
    if found.new_pin is not None:
        known[found.new_pin.conversation] = found.new_pin
    return found
