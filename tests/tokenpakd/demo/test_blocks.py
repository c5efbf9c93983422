from typing import Any

import pytest

from tokenpakd.demo.blocks import BadRequestError, read_anthropic, read_openai, tokens_of
from tokenpakd.demo.prompt_cache import TTL_1H_S, TTL_5M_S

CALL = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "a\nb"}


def anthropic(*messages: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"model": "demo-large", "max_tokens": 1, "messages": list(messages), **rest}


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def assistant(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(parts)}


def text(words: str, **rest: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **rest}


def test_bare_string_and_one_text_block_are_the_same_content() -> None:
    bare = read_anthropic(anthropic({"role": "user", "content": "hi"}))
    block = read_anthropic(anthropic(user(text("hi"))))
    assert bare.blocks == block.blocks


def test_markers_are_not_content_but_are_seen() -> None:
    plain = read_anthropic(anthropic(user(text("hi"))))
    for marker, ttl_s in (({"type": "ephemeral"}, TTL_5M_S), ({"type": "ephemeral", "ttl": "1h"}, TTL_1H_S)):
        marked = read_anthropic(anthropic(user(text("hi", cache_control=marker))))
        assert [block.digest for block in marked.blocks] == [block.digest for block in plain.blocks]
        assert [block.ttl_s for block in marked.blocks] == [ttl_s]
        assert marked.blocks[0].tokens == plain.blocks[0].tokens


def test_tools_come_first_then_system_then_messages() -> None:
    asked = read_anthropic(
        anthropic(user(text("hi")), system="be brief", tools=[{"name": "Bash", "input_schema": {"type": "object"}}])
    )
    whole = read_anthropic(anthropic(user(text("hi")), system="be brief"))
    assert asked.blocks[1:] == whole.blocks
    assert whole.blocks[1:] == read_anthropic(anthropic(user(text("hi")))).blocks


def test_tool_result_with_its_call_is_accepted() -> None:
    asked = read_anthropic(anthropic(user(text("go")), assistant(CALL), user(RESULT)))
    assert (asked.turn, asked.opening) == (1, "go")
    assert [block.run for block in asked.blocks] == ["", "tool_use", "tool_result"]


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([user(RESULT)], "unexpected `tool_use_id`"),
        ([user(text("go")), assistant(text("no call")), user(RESULT)], "unexpected `tool_use_id`"),
        ([user(text("go")), assistant(CALL), user(text("next"))], "without a `tool_result` block"),
        ([user(text("go")), assistant(CALL), user(RESULT), user(RESULT)], "unexpected `tool_use_id`"),
        ([user()], "non-empty content"),
        ([{"role": "robot", "content": "x"}], "role"),
        ([], "at least one message"),
    ],
)
def test_refuses_what_a_provider_refuses(messages: list[dict[str, Any]], reason: str) -> None:
    with pytest.raises(BadRequestError, match=reason):
        read_anthropic(anthropic(*messages))


def test_fifth_marker_is_refused() -> None:
    marker = {"type": "ephemeral"}
    with pytest.raises(BadRequestError, match="maximum of 4"):
        read_anthropic(anthropic(user(*(text(str(number), cache_control=marker) for number in range(5)))))


def test_hour_marker_after_a_five_minute_one_is_refused() -> None:
    short, long = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}
    with pytest.raises(BadRequestError, match="must not come after"):
        read_anthropic(anthropic(user(text("a", cache_control=short), text("b", cache_control=long))))


def test_other_models_are_refused() -> None:
    with pytest.raises(BadRequestError, match="demo-"):
        read_anthropic(anthropic(user(text("hi"))) | {"model": "claude-x"})


def test_openai_tool_message_needs_its_call() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    turns: list[dict[str, Any]] = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "done"},
    ]
    asked = read_openai({"model": "demo-small", "messages": turns})
    assert (asked.turn, asked.blocks[-1].ttl_s) == (1, TTL_5M_S)
    with pytest.raises(BadRequestError, match="role 'tool'"):
        read_openai({"model": "demo-small", "messages": [turns[0], turns[2]]})


def test_estimate_is_one_token_for_three_and_a_half_bytes_rounded_up() -> None:
    assert [tokens_of(words) for words in ("", "a", "abcdefg", "abcdefgh", "ü" * 7)] == [0, 1, 2, 3, 4]
