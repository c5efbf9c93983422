"""A conversation as a client would send it, request by request."""

import json
from itertools import pairwise
from typing import Any

import pytest

from tests.tokenpakd.replay.samples import SOURCE, SYSTEM, anthropic, chat, encoded
from tokenpakd.dialects.registry import dialect
from tokenpakd.exchange.request import DialectName
from tokenpakd.replay import bodies
from tokenpakd.replay.conversation import Conversation, Role, Turn
from tokenpakd.replay.shapes import requests
from tokenpakd.replay.transcripts import read


def _conversation(source: object) -> Conversation:
    (found,) = read(encoded(source), "sample")
    assert isinstance(found, Conversation)
    return found


def _bodies(source: object, wire: DialectName) -> list[dict[str, Any]]:
    return [json.loads(one.body) for one in requests(_conversation(source), wire)]


def test_openai_chat_gives_back_the_messages_it_was_read_from() -> None:
    said = chat()["messages"]
    sent = _bodies(chat(), DialectName.OPENAI_CHAT)
    assert [body["messages"] for body in sent] == [said[:2], said[:4], said[:6]]


def test_every_request_carries_the_answer_that_came_to_it() -> None:
    for wire in (DialectName.OPENAI_CHAT, DialectName.ANTHROPIC):
        answers = [one.answer for one in requests(_conversation(chat()), wire)]
        assert set(answers[0]) == {"I look.", "bash", "cat src/lines.py"} | ({"function"} & set(answers[0]))
        assert answers[2][0].startswith("line_7 is")


def test_anthropic_messages_have_system_calls_results_and_one_wandering_marker() -> None:
    sent = _bodies(chat(), DialectName.ANTHROPIC)
    assert sent[0]["system"] == [{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}]
    assert [message["role"] for message in sent[2]["messages"]] == ["user", "assistant", "user", "assistant", "user"]
    assert sent[2]["messages"][0] == {"role": "user", "content": "Fix line_7."}
    call = {"type": "tool_use", "id": "call_1", "name": "bash", "input": {"command": "cat src/lines.py"}}
    assert sent[2]["messages"][1]["content"] == [{"type": "text", "text": "I look."}, call]
    result = {"type": "tool_result", "tool_use_id": "call_1", "content": SOURCE}
    assert sent[1]["messages"][2]["content"] == [{**result, "cache_control": {"type": "ephemeral"}}]
    assert sent[2]["messages"][2]["content"] == [result]
    assert [json.dumps(body["messages"]).count("cache_control") for body in sent] == [1, 1, 1]


def test_results_in_a_row_and_the_text_behind_them_share_a_user_message() -> None:
    body = _bodies(anthropic(), DialectName.ANTHROPIC)[1]
    assert [block["type"] for block in body["messages"][2]["content"]] == ["tool_result", "tool_result", "text"]
    assert body["messages"][1]["content"][0] == {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    assert body["tools"] == anthropic()["tools"]


def test_anthropic_turns_become_chat_messages_without_what_that_wire_cannot_carry() -> None:
    body = _bodies(anthropic(), DialectName.OPENAI_CHAT)[1]
    assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "tool", "tool", "user"]
    assert body["messages"][2]["content"] is None
    assert [call["id"] for call in body["messages"][2]["tool_calls"]] == ["toolu_1", "toolu_2"]
    assert body["tools"][0]["function"] == {"name": "Bash", "description": "Run it.", "parameters": {"type": "object"}}


@pytest.mark.parametrize("wire", [DialectName.OPENAI_CHAT, DialectName.ANTHROPIC])
@pytest.mark.parametrize("source", [chat(), anthropic()])
def test_each_request_begins_with_the_one_before(source: object, wire: DialectName) -> None:
    taken = [bodies.parts(one.body) for one in requests(_conversation(source), wire)]
    for before, after in pairwise(taken):
        assert before.frame == after.frame
        old = [bodies.canonical(message) for message in before.messages]
        assert [bodies.canonical(message) for message in after.messages[: len(old)]] == old


@pytest.mark.parametrize("wire", [DialectName.OPENAI_CHAT, DialectName.ANTHROPIC])
def test_our_own_dialects_read_what_is_rendered(wire: DialectName) -> None:
    *_, last = requests(_conversation(chat()), wire)
    look = dialect(wire).look(last.body, want_spans=True, path=last.path)
    results = [span for span in look.spans if span.kind.value == "tool_result"]
    assert [json.loads(last.body[span.start : span.end]) for span in results] == [SOURCE, SOURCE]
    assert [span.call.label if span.call else "" for span in results] == ["cat src/lines.py", "cat ./src/lines.py"]


def test_a_request_body_asks_also_for_what_stands_behind_its_last_answer() -> None:
    source = {"model": "gpt-5", "messages": chat()["messages"][:6]}
    assert [len(body["messages"]) for body in _bodies(source, DialectName.OPENAI_CHAT)] == [2, 4, 6]
    assert len(_bodies({"messages": chat()["messages"][:6]}, DialectName.OPENAI_CHAT)) == 2


def test_arguments_that_are_no_object_are_kept_as_text() -> None:
    said = chat()["messages"][:4]
    said[2]["tool_calls"][0]["function"]["arguments"] = "{half"
    body = _bodies({"model": "m", "messages": said}, DialectName.ANTHROPIC)[1]
    assert body["messages"][1]["content"][1]["input"] == {"arguments": "{half"}


def test_no_other_shape_is_rendered() -> None:
    with pytest.raises(ValueError, match="gemini"):
        list(requests(Conversation(name="x", turns=(Turn(role=Role.USER, texts=("x",)),)), DialectName.GEMINI))
