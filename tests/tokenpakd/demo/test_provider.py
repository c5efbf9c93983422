import json
from typing import Any

import pytest
import trio

from tokenpakd.demo import children, session
from tokenpakd.demo.blocks import tokens_of
from tokenpakd.demo.ledger import Bill
from tokenpakd.demo.provider import Provider, Response, serve_connection
from tokenpakd.demo.replay import read_stream

KEY = {b"x-api-key": b"demo-k", b"anthropic-version": b"2023-06-01"}
LONG = "a" * 7000
MARKER = {"type": "ephemeral"}


def ask(provider: Provider, path: str, body: object, headers: dict[bytes, bytes] | None = None) -> Response:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    return provider.answer("POST", path, KEY if headers is None else headers, encoded, now_s=0)


def messages(text: str, **rest: Any) -> dict[str, Any]:
    content = [{"type": "text", "text": text, "cache_control": MARKER}]
    return {"model": "demo-large", "max_tokens": 9, "messages": [{"role": "user", "content": content}], **rest}


def bill(provider: Provider) -> Any:
    return json.loads(provider.answer("GET", "/demo/bill", KEY, b"", now_s=0).body)


def test_second_ask_reads_what_the_first_one_wrote() -> None:
    provider = Provider(None)
    first = json.loads(ask(provider, "/v1/messages", messages(LONG)).body)
    second = json.loads(ask(provider, "/v1/messages", messages(LONG)).body)
    assert first["usage"]["cache_creation_input_tokens"] == second["usage"]["cache_read_input_tokens"] == 2004
    assert second["usage"]["input_tokens"] == second["usage"]["cache_creation_input_tokens"] == 0
    assert bill(provider)["input"] == {"plain": 0, "read": 2004, "write_5m": 2004, "write_1h": 0}


def test_stream_tells_the_same_message_and_usage_as_the_whole() -> None:
    whole = json.loads(ask(Provider(None), "/v1/messages", messages(LONG)).body)
    events = ask(Provider(None), "/v1/messages", messages(LONG, stream=True)).events
    assert events is not None
    assert read_stream(b"".join(events)) == whole | {"stop_reason": None}


def test_openai_caches_by_itself_and_counts_cached_tokens_within_the_prompt() -> None:
    provider = Provider(None)
    body = {"model": "demo-small", "messages": [{"role": "user", "content": LONG}]}
    ask(provider, "/v1/chat/completions", body)
    usage = json.loads(ask(provider, "/v1/chat/completions", body).body)["usage"]
    assert (usage["prompt_tokens"], usage["prompt_tokens_details"]["cached_tokens"]) == (2004, 2004)


@pytest.mark.parametrize(("options", "has_usage"), [({}, False), ({"stream_options": {"include_usage": True}}, True)])
def test_openai_stream_has_usage_only_where_asked(options: dict[str, Any], *, has_usage: bool) -> None:
    body = {"model": "demo-small", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    events = ask(Provider(None), "/v1/chat/completions", body | options).events
    assert events is not None
    stream = b"".join(events)
    assert stream.endswith(b"data: [DONE]\n\n")
    assert (b'"usage"' in stream) is has_usage


def test_recorded_session_is_answered_turn_by_turn() -> None:
    recorded = session.load()
    provider = Provider(recorded)
    for body, answer in zip(session.requests(recorded), recorded.answers, strict=True):
        assert json.loads(ask(provider, "/v1/messages", body).body)["content"] == answer
    assert bill(provider)["prefix_breaks"] == 0
    assert bill(provider)["requests"] == len(recorded.answers)


def test_counting_is_free_and_counts_what_a_message_would() -> None:
    provider = Provider(None)
    counted = json.loads(ask(provider, "/v1/messages/count_tokens", messages(LONG)).body)
    assert counted == {"input_tokens": tokens_of(LONG) + 4}
    assert bill(provider)["requests"] == 0


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "kind"),
    [
        ("/v1/messages", b"{", KEY, 400, "invalid_request_error"),
        ("/v1/messages", b"[" * 100_000, KEY, 400, "invalid_request_error"),
        ("/v1/messages", messages("x") | {"model": "claude-x"}, KEY, 400, "invalid_request_error"),
        ("/v1/messages", messages("x"), {}, 401, "authentication_error"),
        ("/v1/other", messages("x"), KEY, 404, "not_found_error"),
    ],
)
def test_refuses_in_the_shape_of_the_wire(
    path: str, body: object, headers: dict[bytes, bytes], status: int, kind: str
) -> None:
    response = ask(Provider(None), path, body, headers)
    assert (response.status, json.loads(response.body)["error"]["type"]) == (status, kind)


def test_models_are_listed_in_the_callers_dialect() -> None:
    provider = Provider(None)
    for headers, mark in ((KEY, "display_name"), ({b"authorization": b"Bearer k"}, "owned_by")):
        listed = json.loads(provider.answer("GET", "/v1/models", headers, b"", now_s=0).body)
        assert all(model["id"].startswith("demo-") and mark in model for model in listed["data"])


async def test_connection_carries_several_requests_and_a_chunked_body() -> None:
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    provider = Provider(None)
    body = json.dumps(messages("hi")).encode()
    head = b"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: k\r\n"
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery, listener:
            client = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
            server = await listener.accept()
            nursery.start_soon(serve_connection, provider, server)
            async with client:
                await client.send_all(head + b"content-length: %d\r\n\r\n" % len(body) + body)
                assert (await client.receive_some()).startswith(b"HTTP/1.1 200")
                chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
                await client.send_all(head + b"transfer-encoding: chunked\r\n\r\n" + chunked)
                assert (await client.receive_some()).startswith(b"HTTP/1.1 200")


def test_process_serves_and_leaves_when_its_lifeline_ends() -> None:
    process, port = children.start_provider()
    assert children.get_json(port, "/demo/bill", {"x-api-key": "k"})["requests"] == Bill().requests
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(10) == 0
    children.end(process)
