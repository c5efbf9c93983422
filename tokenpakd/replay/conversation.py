"""A conversation in a neutral form: what was said by whom, whatever wire it came over."""

import enum

import msgspec

from tokenpakd.exchange.request import DialectName


class Role(enum.StrEnum):
    """Who speaks. A tool's turn is one result."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a tool; `arguments` is the JSON document as the model wrote it."""

    id: str
    name: str
    arguments: str


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """One tool on offer; `schema` is the JSON schema of its arguments."""

    name: str
    description: str
    schema: msgspec.Raw


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One turn. `call_id` names the call that a tool's turn answers.

    `blocks` are its content blocks as they stood in the source, where that was in Anthropic Messages form: thinking
    and pictures are carried to that wire only.
    """

    role: Role
    texts: tuple[str, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    blocks: tuple[msgspec.Raw, ...] = ()


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """All turns of one conversation; every assistant's turn was asked for by a request with all turns before it.

    `asks_end`: the source is itself a request, so what stands behind the last assistant's turn was asked, too.
    """

    name: str
    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    model: str | None = None
    asks_end: bool = False


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request as a client sends it. `answer`: the strings of what the model wrote next, as far as known."""

    dialect: DialectName
    path: bytes
    body: bytes
    answer: tuple[str, ...] = ()


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """The successive requests of one conversation, byte for byte as they were recorded."""

    name: str
    requests: tuple[Request, ...]


Transcript = Conversation | Recording


class BadTranscript(Exception):
    """The file holds no conversation that we can read: what is wrong, and where."""
