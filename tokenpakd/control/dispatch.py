"""From one JSON-RPC line to a verb, and from its answer or failure back to a line. Knows no socket.

A verb module exposes `VERB`; `control/verbs/__init__.py` lists them in `VERBS`; `table(VERBS)` is the server's.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from tokenpakd.config.load import ConfigError
from tokenpakd.control.access import Access
from tokenpakd.control.daemon import Daemon

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR = -32700, -32600, -32601, -32602, -32603
CONFIG_ERROR, DENIED, FAILED = -32000, -32001, -32002

log = logging.getLogger(__name__)

Params = TypeVar("Params", bound=msgspec.Struct)
Send = Callable[[msgspec.Struct], Awaitable[None]]
"""What a watching verb calls for each event; returns once the line is written."""


class Verb(msgspec.Struct, Generic[Params], frozen=True, kw_only=True):
    """One method of the control socket: either `run` (one answer) or `watch` (notifications until the peer leaves).

    `params` is decoded strictly: give it `forbid_unknown_fields=True`.
    """

    name: str
    access: Access
    params: type[Params]
    run: Callable[[Daemon, Params], Awaitable[msgspec.Struct]] | None = None
    watch: Callable[[Daemon, Params, Send], Awaitable[None]] | None = None


AnyVerb = Verb[Any]
Table = Mapping[str, AnyVerb]


class VerbFailed(Exception):
    """A verb says no. `hint` names the next command; `data` is what a program may want to read."""

    def __init__(self, message: str, *, hint: str = "", code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


class Call(msgspec.Struct, frozen=True):
    """A verb with its decoded parameters, ready to run. `id` goes back to the caller unchanged."""

    verb: AnyVerb
    params: Any
    id: int | str | None


class _Request(msgspec.Struct, frozen=True):
    method: str
    jsonrpc: str = ""
    id: int | str | None = None
    params: msgspec.Raw = msgspec.Raw(b"{}")


def table(verbs: Iterable[AnyVerb]) -> Table:
    """Index verbs by name.

    Raises:
      ValueError: a name comes twice, or a verb does not have exactly one of `run` and `watch`.
    """
    found: dict[str, AnyVerb] = {}
    for verb in verbs:
        if verb.name in found:
            raise ValueError(f"two verbs are called {verb.name}")
        if (verb.run is None) == (verb.watch is None):
            raise ValueError(f"verb {verb.name} needs either run or watch")
        found[verb.name] = verb
    return found


def parse(line: bytes, verbs: Table, may: frozenset[Access]) -> Call | bytes:
    """Yield the call that a line asks for, or the error line that answers it."""
    if line.lstrip()[:1] == b"[":
        return error_line(None, INVALID_REQUEST, "batches are not supported", "Send one object per line.")
    try:
        request = msgspec.json.decode(line, type=_Request)
    except msgspec.ValidationError as error:
        return error_line(
            None, INVALID_REQUEST, f"not a JSON-RPC request: {error}", "Send jsonrpc, id, method, params."
        )
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return error_line(None, PARSE_ERROR, "not JSON", "Send one JSON object per line.")
    if request.jsonrpc != "2.0":
        return error_line(request.id, INVALID_REQUEST, 'jsonrpc must be "2.0"', 'Add "jsonrpc": "2.0".')
    verb = verbs.get(request.method)
    if verb is None:
        hint = f"Known methods: {', '.join(sorted(verbs))}."
        return error_line(request.id, METHOD_NOT_FOUND, f"unknown method {request.method[:64]!r}", hint)
    if verb.access not in may:
        return error_line(request.id, DENIED, f"{verb.name} is not allowed for this user", "Ask as the daemon's user.")
    raw = bytes(request.params)
    try:
        params = msgspec.json.decode(b"{}" if raw == b"null" else raw, type=verb.params)
    except (msgspec.DecodeError, RecursionError) as error:
        known = ", ".join(field.encode_name for field in msgspec.structs.fields(verb.params)) or "none"
        return error_line(request.id, INVALID_PARAMS, f"{verb.name}: {error}", f"Parameters: {known}.")
    return Call(verb, params, request.id)


async def answer(call: Call, daemon: Daemon) -> bytes:
    """Run a verb that answers once and yield its line; whatever it raises becomes an error line."""
    assert call.verb.run is not None
    try:
        return result_line(call.id, await call.verb.run(daemon, call.params))
    except Exception as error:  # noqa: BLE001 - one bad verb must not take the daemon down
        return failure_line(call, error)


def failure_line(call: Call, error: Exception) -> bytes:
    """Yield the error line for what a verb raised. Unforeseen errors are logged and named by class only."""
    if isinstance(error, ConfigError):
        # Each problem ends with a hint of its own.
        return error_line(call.id, CONFIG_ERROR, str(error), "Run `tokenpakd --check-config`.")
    if isinstance(error, VerbFailed):
        return error_line(call.id, error.code, error.message, error.hint)
    log.error("verb_failed", exc_info=error, extra={"verb": call.verb.name})
    text = f"{call.verb.name} failed: {type(error).__name__}"
    return error_line(call.id, INTERNAL_ERROR, text, "Run `tokenpakctl logs`.")


def result_line(request_id: int | str | None, result: object) -> bytes:
    """Yield the line of a success."""
    return msgspec.json.encode({"jsonrpc": "2.0", "id": request_id, "result": result}) + b"\n"


def notification_line(method: str, params: object) -> bytes:
    """Yield the line of something nobody asked for by id: hello, and what watching verbs send."""
    return msgspec.json.encode({"jsonrpc": "2.0", "method": method, "params": params}) + b"\n"


def error_line(request_id: int | str | None, code: int, message: str, hint: str) -> bytes:
    """Yield the line of a failure: code, message, and `data.hint` with the next step."""
    error = {"code": code, "message": message, "data": {"hint": hint}}
    return msgspec.json.encode({"jsonrpc": "2.0", "id": request_id, "error": error}) + b"\n"
