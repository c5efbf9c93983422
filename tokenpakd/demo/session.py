"""The recorded coding-agent session, and the requests that an agent makes of it turn by turn.

`session.json` holds the conversation once, in Anthropic Messages shape without cache markers; `requests` puts them
where Claude Code puts them: on the last two system blocks and on the last block of the newest message, which therefore
wanders. As there, a user message of one text block is a bare string once it is no longer the newest.
"""

import importlib.resources
from collections.abc import Iterator
from typing import Any

import msgspec

_MARKER = {"type": "ephemeral"}


class Session(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A recorded session. `about` says how it was made; messages alternate, from user to assistant."""

    about: list[str]
    model: str
    max_tokens: int
    system: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    messages: list[dict[str, Any]]

    @property
    def answers(self) -> list[list[dict[str, Any]]]:
        """The assistant's turns in order, each as content blocks."""
        return [message["content"] for message in self.messages if message["role"] == "assistant"]

    @property
    def opening(self) -> str:
        """The first text of the user; it tells this session from any other."""
        return str(self.messages[0]["content"][0]["text"])


def load() -> Session:
    """Return the bundled session."""
    raw = importlib.resources.files("tokenpakd.demo").joinpath("session.json").read_bytes()
    return msgspec.json.decode(raw, type=Session)


def requests(session: Session) -> Iterator[dict[str, Any]]:
    """Yield the body of each request of the session, in order, without `stream`."""
    system = [*session.system[:-2], *(block | {"cache_control": _MARKER} for block in session.system[-2:])]
    for index, message in enumerate(session.messages):
        if message["role"] != "user":
            continue
        earlier = [_aged(old) for old in session.messages[:index]]
        newest = message["content"]
        marked = [*newest[:-1], newest[-1] | {"cache_control": _MARKER}]
        yield {
            "model": session.model,
            "messages": [*earlier, {"role": "user", "content": marked}],
            "system": system,
            "tools": session.tools,
            "max_tokens": session.max_tokens,
        }


def _aged(message: dict[str, Any]) -> dict[str, Any]:
    content = message["content"]
    if message["role"] == "user" and len(content) == 1 and content[0]["type"] == "text":
        return {"role": "user", "content": content[0]["text"]}
    return message
