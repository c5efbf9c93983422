"""What a transcript file holds: conversations to be rendered, or the request bodies themselves.

Known are: one JSON object with `messages` in OpenAI Chat or Anthropic Messages form; a list of objects with `traj`
(tau-bench); a JSON list or JSON lines of request bodies of any dialect we know, bare or as `body` beside the path in
`target` or `path`, also under `requests`; a Claude Code session (JSON lines, best effort).
"""

import itertools
from collections.abc import Sequence
from typing import Any

import msgspec

from tokenpakd.dialects.classify import EndpointKind, classify
from tokenpakd.dialects.registry import dialect
from tokenpakd.exchange.request import DialectName
from tokenpakd.replay import bodies, claude_code, messages
from tokenpakd.replay.conversation import BadTranscript, Recording, Request, Transcript

_GEMINI = b"/v1beta/models/%b:generateContent"
_PATHS = {
    DialectName.ANTHROPIC: b"/v1/messages",
    DialectName.OPENAI_CHAT: b"/v1/chat/completions",
    DialectName.OPENAI_RESPONSES: b"/v1/responses",
    DialectName.OLLAMA: b"/api/chat",
}
_OLLAMA_KEYS = ("options", "keep_alive", "format", "think")
_BOM = b"\xef\xbb\xbf"
_RAWS = msgspec.json.Decoder(list[msgspec.Raw])
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])

Object = dict[str, Any]


def read(data: bytes, name: str) -> tuple[Transcript, ...]:
    """Return what a file holds, in its order; `name` is for people.

    Raises:
      BadTranscript: no JSON, or nothing in it that we know as a conversation.
    """
    data = data.removeprefix(_BOM).strip()
    if not data:
        raise BadTranscript("the file is empty")
    try:
        items = _items(data)
    except RecursionError as exc:
        raise BadTranscript("its JSON is nested too deeply") from exc
    found = _conversations(items, name)
    if not found:
        raise BadTranscript(
            "no conversation in it that we know: expected an object with `messages`, a list of `traj`, request bodies,"
            " or a Claude Code session"
        )
    return found


def _items(data: bytes) -> list[bytes]:
    """Yield the JSON documents of a file: its one object, the elements of its list, or its lines.

    Raises:
      BadTranscript: it is no JSON.
    """
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except msgspec.DecodeError as exc:
        lines = [line.strip() for line in data.split(b"\n")]
        if not _is_json(lines[0]) or len(lines) == 1:
            raise BadTranscript(f"it is no JSON: {exc}") from exc
        for number, line in enumerate(lines, 1):
            if line and not _is_json(line):
                raise BadTranscript(f"line {number} is no JSON") from exc
        return [line for line in lines if line]
    if data[:1] == b"[":
        return [bytes(raw) for raw in _RAWS.decode(data)]
    return [data]


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except ValueError:
        return False
    return True


def _conversations(items: Sequence[bytes], name: str) -> tuple[Transcript, ...]:
    objects: list[Object] = []
    for item in items:
        value = msgspec.json.decode(item)
        if not isinstance(value, dict):
            raise BadTranscript("it holds something that is no JSON object")
        objects.append(value)
    if not objects:
        return ()
    if any(map(claude_code.is_record, objects)):
        return claude_code.conversations(objects, name)
    if all("role" in one for one in objects):
        return (messages.conversation({"messages": objects}, name),)
    if len(objects) == 1 and isinstance(objects[0].get("requests"), list):
        whole = _FIELDS.decode(items[0])
        return _conversations([bytes(raw) for raw in _RAWS.decode(whole["requests"])], name)
    is_transcript = [_is_transcript(one, is_alone=len(objects) == 1) for one in objects]
    if all(is_transcript):
        return tuple(
            messages.conversation(one, name if len(objects) == 1 else f"{name} {number}")
            for number, one in enumerate(objects, 1)
        )
    recorded = [_request(raw, one) for raw, one in zip(items, objects, strict=True)]
    return _grouped([request for request in recorded if request is not None], name)


def _is_transcript(one: Object, *, is_alone: bool) -> bool:
    """Say whether an object is a whole conversation; of several with a model in them each is a request."""
    if isinstance(one.get("traj"), list):
        return True
    said = one.get("messages")
    if not isinstance(said, list) or not said or not all(isinstance(message, dict) for message in said):
        return False
    if is_alone:
        return True
    return "model" not in one and said[-1].get("role") not in ("user", "tool")


def _request(raw: bytes, one: Object) -> Request | None:
    """Return a recorded request; None for what is no model request."""
    body, path = raw, b""
    if isinstance(one.get("body"), dict):
        body = bytes(_FIELDS.decode(raw)["body"])
        target = one.get("target", one.get("path"))
        path = target.partition("?")[0].encode() if isinstance(target, str) else b""
        one = one["body"]
    if path:
        endpoint = classify("POST", path)
        is_asked = endpoint.is_parsed and endpoint.kind is EndpointKind.MESSAGES
        return Request(dialect=endpoint.dialect, path=path, body=body) if is_asked else None
    name = _dialect(one)
    if name is None:
        return None
    model = one.get("model")
    path = _GEMINI % (model.encode() if isinstance(model, str) else b"gemini") if name is DialectName.GEMINI else b""
    return Request(dialect=name, path=path or _PATHS[name], body=body)


def _dialect(body: Object) -> DialectName | None:
    if isinstance(body.get("contents"), list):
        return DialectName.GEMINI
    if isinstance(body.get("input"), list | str) and "messages" not in body:
        return DialectName.OPENAI_RESPONSES
    said = body.get("messages")
    if not isinstance(said, list) or not said:
        return None
    if messages.is_anthropic(body):
        return DialectName.ANTHROPIC
    return DialectName.OLLAMA if any(key in body for key in _OLLAMA_KEYS) else DialectName.OPENAI_CHAT


def _grouped(requests: Sequence[Request], name: str) -> tuple[Transcript, ...]:
    """Yield the requests by conversation, as the daemon tells them apart: by their opening."""
    by_opening: dict[tuple[bytes, ...], list[Request]] = {}
    for number, request in enumerate(requests):
        seen = dialect(request.dialect).look(request.body, want_spans=False, path=request.path)
        by_opening.setdefault(seen.opening or (b"%d" % number,), []).append(request)
    groups = list(by_opening.values())
    return tuple(
        Recording(name=name if len(groups) == 1 else f"{name} {number}", requests=_answered(group))
        for number, group in enumerate(groups, 1)
    )


def _answered(requests: Sequence[Request]) -> tuple[Request, ...]:
    """Yield the requests with what the model wrote next, as far as the next request repeats it."""
    found = list(requests)
    taken = [bodies.parts(request.body).messages for request in requests]
    for index, (before, after) in enumerate(itertools.pairwise(taken)):
        if len(after) > len(before):
            answer = msgspec.json.decode(after[len(before)])
            if isinstance(answer, dict) and answer.get("role") in ("assistant", "model"):
                found[index] = msgspec.structs.replace(found[index], answer=bodies.strings(answer))
    return tuple(found)
