"""The demo provider: a process of its own on loopback that answers as a provider would and bills as one.

`python -m tokenpakd.demo.provider --port 0` prints `{"port": N}` on standard output once it listens and leaves when its
standard input ends, so it cannot outlive who started it. It speaks Anthropic Messages and OpenAI Chat, whole and
streamed. Nothing is stored and nothing leaves the machine; its cache and its bills live in memory, per caller's key.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from typing import Any

import h11
import msgspec
import trio

from tokenpakd.demo import answers, blocks, session
from tokenpakd.demo.ledger import Ledger
from tokenpakd.demo.prompt_cache import AUTOMATIC, EXPLICIT, Charge, PromptCache

_BODY_BYTES_MAX = 64 << 20
_READ_BYTES = 65_536
_MODEL_PATHS = frozenset({"/v1/messages", "/v1/messages/count_tokens", "/v1/chat/completions"})


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What goes back: a whole body, or pieces that are sent one by one as events."""

    status: int = 200
    body: bytes = b""
    events: Iterable[bytes] | None = None


class Provider:
    """The provider's state: cache, bills, and the recorded session whose questions it can answer."""

    def __init__(self, recorded: session.Session | None) -> None:
        self._cache = PromptCache()
        self._ledger = Ledger()
        self._recorded = recorded
        self._answered = 0

    def answer(self, method: str, path: str, headers: dict[bytes, bytes], body: bytes, *, now_s: float) -> Response:
        """Answer one request. `headers` have lower-case names; `now_s` is seconds on the monotonic clock."""
        is_anthropic = path.startswith("/v1/messages") or (path == "/v1/models" and b"anthropic-version" in headers)
        caller = _caller(headers)
        if method == "GET" and path == "/v1/models":
            return Response(body=answers.models(is_anthropic=is_anthropic))
        if method == "GET" and path == "/demo/bill":
            return Response(body=msgspec.json.encode(self._ledger.bill(caller)))
        if method != "POST" or path not in _MODEL_PATHS:
            return _refuse(404, is_anthropic, "not_found_error", f"{method} {path} is not served by the demo provider")
        if not caller:
            return _refuse(401, is_anthropic, "authentication_error", "x-api-key or a bearer token is required")
        try:
            asked = _read(path, body)
        except blocks.BadRequestError as error:
            return _refuse(400, is_anthropic, "invalid_request_error", str(error))
        if path == "/v1/messages/count_tokens":
            counted = sum(block.tokens for block in asked.blocks)
            return Response(body=msgspec.json.encode({"input_tokens": counted}))
        return self._complete(asked, caller, is_anthropic=is_anthropic, now_s=now_s)

    def _complete(self, asked: blocks.Asked, caller: str, *, is_anthropic: bool, now_s: float) -> Response:
        content = self._content(asked)
        owner = f"{caller}\0{asked.model}".encode()
        rules = EXPLICIT if is_anthropic else AUTOMATIC
        charge = self._cache.charge(owner, asked.blocks, rules, now_s=now_s)
        self._ledger.book(caller, asked.opening, asked.blocks, charge, answers.output_tokens(content))
        self._answered += 1
        return self._said(asked, content, charge, is_anthropic=is_anthropic)

    def _content(self, asked: blocks.Asked) -> answers.Content:
        recorded = self._recorded
        if recorded is not None and asked.opening == recorded.opening and asked.turn < len(recorded.answers):
            return recorded.answers[asked.turn]
        return answers.short_answer(asked.model)

    def _said(self, asked: blocks.Asked, content: answers.Content, charge: Charge, *, is_anthropic: bool) -> Response:
        number, model = self._answered, asked.model
        if is_anthropic and asked.is_stream:
            return Response(events=answers.anthropic_stream(number, model, content, charge))
        if is_anthropic:
            return Response(body=answers.anthropic_unary(number, model, content, charge))
        if asked.is_stream:
            with_usage = asked.wants_usage
            return Response(events=answers.openai_stream(number, model, content, charge, with_usage=with_usage))
        return Response(body=answers.openai_unary(number, model, content, charge))


def _read(path: str, body: bytes) -> blocks.Asked:
    try:
        parsed: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise blocks.BadRequestError("The request body is not valid JSON.") from error
    return blocks.read_openai(parsed) if path == "/v1/chat/completions" else blocks.read_anthropic(parsed)


def _caller(headers: dict[bytes, bytes]) -> str:
    bearer = headers.get(b"authorization", b"").decode("latin-1")
    return headers.get(b"x-api-key", b"").decode("latin-1") or bearer.removeprefix("Bearer ").strip()


def _refuse(status: int, is_anthropic: bool, kind: str, message: str) -> Response:
    shape = answers.anthropic_error if is_anthropic else answers.openai_error
    return Response(status=status, body=shape(kind, message))


async def serve_connection(provider: Provider, stream: trio.SocketStream) -> None:
    """Serve one connection until either side ends it."""
    stream.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY, 1)
    wire = h11.Connection(h11.SERVER)
    async with stream:
        try:
            while await _serve_one(provider, stream, wire):
                wire.start_next_cycle()
        except (trio.BrokenResourceError, trio.ClosedResourceError, h11.RemoteProtocolError):
            return


async def _serve_one(provider: Provider, stream: trio.SocketStream, wire: h11.Connection) -> bool:
    """Serve one request; yield whether the connection may carry another."""
    head = await _next_event(stream, wire)
    if not isinstance(head, h11.Request):
        return False
    body = bytearray()
    while isinstance(event := await _next_event(stream, wire), h11.Data):
        body += event.data
        if len(body) > _BODY_BYTES_MAX:
            return False
    if not isinstance(event, h11.EndOfMessage):
        return False
    path = head.target.decode("latin-1").partition("?")[0]
    headers = {name.lower(): value for name, value in head.headers}
    response = provider.answer(head.method.decode(), path, headers, bytes(body), now_s=trio.current_time())
    number = b"req_demo"
    if response.events is None:
        length = b"%d" % len(response.body)
        fields = [(b"content-type", b"application/json"), (b"content-length", length), (b"request-id", number)]
        whole = wire.send(h11.Response(status_code=response.status, headers=fields)) or b""
        whole += wire.send(h11.Data(data=response.body)) or b""
        await stream.send_all(whole + (wire.send(h11.EndOfMessage()) or b""))
    else:
        fields = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"request-id", number)]
        await stream.send_all(wire.send(h11.Response(status_code=response.status, headers=fields)) or b"")
        for piece in response.events:
            await stream.send_all(wire.send(h11.Data(data=piece)) or b"")
        await stream.send_all(wire.send(h11.EndOfMessage()) or b"")
    return wire.our_state is h11.DONE and wire.their_state is h11.DONE


async def _next_event(stream: trio.SocketStream, wire: h11.Connection) -> Any:
    while True:
        event = wire.next_event()
        if event is not h11.NEED_DATA:
            return event
        if wire.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=100, headers=[])
            await stream.send_all(wire.send(go_on) or b"")
        wire.receive_data(await stream.receive_some(_READ_BYTES))


async def serve(provider: Provider, port: int) -> None:
    """Listen on loopback, print the port, serve until standard input ends."""
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(port, host="127.0.0.1", backlog=1024)

        async def connection(stream: trio.SocketStream) -> None:
            await serve_connection(provider, stream)

        await nursery.start(trio.serve_listeners, connection, listeners)
        sys.stdout.write(json.dumps({"port": listeners[0].socket.getsockname()[1]}) + "\n")
        sys.stdout.flush()
        await _wait_input_end()
        nursery.cancel_scope.cancel()


async def _wait_input_end() -> None:
    # The lifeline: whoever holds the other end of standard input is why this process runs.
    await trio.to_thread.run_sync(sys.stdin.buffer.read, abandon_on_cancel=True)


def main(argv: list[str] | None = None) -> int:
    """Run the provider as a process."""
    parser = argparse.ArgumentParser(prog="python -m tokenpakd.demo.provider", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    arguments = parser.parse_args(argv)
    try:
        trio.run(serve, Provider(session.load()), arguments.port)
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
