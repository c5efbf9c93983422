"""The client of the demo: sends a recorded session over real HTTP, turn by turn, and reads what came back.

Every arm is a caller with a key of its own, so that no arm reads what another one wrote into the provider's cache. Arms
take turns at each request, in a rotating order, so that a slow moment of the machine does not fall on one of them.
"""

import contextlib
import http.client
import json
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from tokenpakd.demo import session
from tokenpakd.demo.prompt_cache import Charge
from tokenpakd.tip import headers as names

_TIMEOUT_S = 60.0
_UNARY_EVERY = 4
"""One request in four is not streamed; agents stream nearly all, but both paths are to be shown."""


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """One way of sending the session. `mode` None sends no header of ours: that is straight to the provider."""

    name: str
    port: int
    key: str
    mode: str | None = None


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One request of an arm, as its client saw it. `duration_s` is from the first byte out to the last byte in."""

    is_stream: bool
    duration_s: float
    charge: Charge
    output_tokens: int
    bytes_sent: int
    is_answer_right: bool


class ReplayError(Exception):
    """An answer that is not a 200 with a message: what was asked of whom, and what came back."""


def replay(recorded: session.Session, arms: Sequence[Arm]) -> dict[str, list[Exchange]]:
    """Send every request of the session on every arm; yield the exchanges by arm name.

    Raises:
      ReplayError: a request was not answered with a message.
    """
    done: dict[str, list[Exchange]] = {arm.name: [] for arm in arms}
    with contextlib.ExitStack() as stack:
        lines = {arm.name: http.client.HTTPConnection("127.0.0.1", arm.port, timeout=_TIMEOUT_S) for arm in arms}
        for line in lines.values():
            stack.enter_context(contextlib.closing(line))
        for turn, body in enumerate(session.requests(recorded)):
            expected = recorded.answers[turn]
            first = turn % len(arms)
            for arm in (*arms[first:], *arms[:first]):
                is_stream = turn % _UNARY_EVERY != _UNARY_EVERY - 1
                done[arm.name].append(_send(lines[arm.name], arm, body | {"stream": is_stream}, expected))
    return done


def _send(line: http.client.HTTPConnection, arm: Arm, body: dict[str, Any], expected: object) -> Exchange:
    encoded = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    sent = {"content-type": "application/json", "anthropic-version": "2023-06-01", "x-api-key": arm.key}
    if arm.mode is not None:
        sent[names.MODE] = arm.mode
    started_s = time.perf_counter()
    try:
        line.request("POST", "/v1/messages", encoded, sent)
        response = line.getresponse()
        answer = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise ReplayError(f"{arm.name}: no answer from port {arm.port}: {type(error).__name__} {error}") from error
    duration_s = time.perf_counter() - started_s
    if response.status != 200:
        raise ReplayError(
            f"{arm.name}: {response.status} from port {arm.port}: {answer[:500].decode(errors='replace')}"
        )
    message = read_stream(answer) if body["stream"] else json.loads(answer)
    return Exchange(
        is_stream=body["stream"],
        duration_s=duration_s,
        charge=charge_of(message["usage"]),
        output_tokens=message["usage"]["output_tokens"],
        bytes_sent=len(encoded),
        is_answer_right=message["content"] == expected,
    )


def charge_of(usage: dict[str, Any]) -> Charge:
    """Return the input part of an Anthropic usage object."""
    written = usage["cache_creation"]
    return Charge(
        plain=usage["input_tokens"],
        read=usage["cache_read_input_tokens"],
        write_5m=written["ephemeral_5m_input_tokens"],
        write_1h=written["ephemeral_1h_input_tokens"],
    )


def read_stream(answer: bytes) -> dict[str, Any]:
    """Put an Anthropic event stream together again as the message that it tells.

    Raises:
      ReplayError: the stream ended before its message did.
    """
    message: dict[str, Any] = {}
    inputs: dict[int, str] = {}
    for line in answer.split(b"\n"):
        if not line.startswith(b"data: "):
            continue
        event = json.loads(line[6:])
        match event["type"]:
            case "message_start":
                message = event["message"]
            case "content_block_start":
                message["content"].append(event["content_block"])
            case "content_block_delta":
                delta = event["delta"]
                if delta["type"] == "text_delta":
                    message["content"][event["index"]]["text"] += delta["text"]
                else:
                    inputs[event["index"]] = inputs.get(event["index"], "") + delta["partial_json"]
            case "message_delta":
                message["usage"] |= event["usage"]
            case "message_stop":
                for index, text in inputs.items():
                    message["content"][index]["input"] = json.loads(text)
                return message
    raise ReplayError("the stream ended before message_stop")
