"""A Claude Code session file: one JSON record per line, best effort.

The file holds what was said, not what was sent: system prompt and tools are not in it. One answer stands in several
records (one per content block) with the same message id; a compaction begins a new conversation; side chains
(sub-agents) are conversations of their own.
"""

from collections.abc import Sequence
from typing import Any

from tokenpakd.replay import messages
from tokenpakd.replay.conversation import Conversation

_SAID = ("user", "assistant")

Object = dict[str, Any]


def is_record(one: Object) -> bool:
    """Say whether an object is a line of such a session that says something."""
    return one.get("type") in _SAID and isinstance(one.get("message"), dict) and "role" in one["message"]


def conversations(records: Sequence[Object], name: str) -> tuple[Conversation, ...]:
    """Return the conversations of a session, in the order of their first record."""
    chains: dict[str, list[Object]] = {}
    answers: dict[str, Object] = {}
    parts: dict[str, int] = {}
    for record in records:
        chain = _chain(record)
        if record.get("type") == "system" and record.get("subtype") == "compact_boundary":
            parts[chain] = parts.get(chain, 0) + 1
        if not is_record(record):
            continue
        said = chains.setdefault(f"{chain} {parts.get(chain, 0)}", [])
        message = record["message"]
        known = answers.get(str(message.get("id"))) if record["type"] == "assistant" else None
        if known is not None and isinstance(message.get("content"), list):
            known["content"] += message["content"]
            continue
        message = {"role": message["role"], "content": _copied(message.get("content"))}
        said.append(message)
        if record["type"] == "assistant" and isinstance(message["content"], list):
            answers[str(record["message"].get("id"))] = message
    told = [said for said in chains.values() if any(message["role"] == "assistant" for message in said)]
    return tuple(
        messages.conversation({"messages": said, "system": ""}, name if len(told) == 1 else f"{name} {number}")
        for number, said in enumerate(told, 1)
    )


def _chain(record: Object) -> str:
    """Return what tells the main conversation from a sub-agent's."""
    if record.get("isSidechain") is True:
        return f"side {record.get('agentId') or ''}"
    return "main"


def _copied(content: object) -> object:
    return list(content) if isinstance(content, list) else content
