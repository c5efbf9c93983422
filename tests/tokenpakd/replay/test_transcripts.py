"""What a transcript file may hold, and what is said of a file that holds nothing."""

import json
from pathlib import Path

import pytest

from tests.tokenpakd.replay.samples import SOURCE, anthropic, chat, claude_code, encoded, lines, tau
from tokenpakd.exchange.request import DialectName
from tokenpakd.replay.conversation import BadTranscript, Conversation, Recording
from tokenpakd.replay.measure import requests
from tokenpakd.replay.transcripts import read

ROOT = Path(__file__).parents[3]
DATA = ROOT.parent / "shared" / "data"


def _one(data: bytes) -> Conversation:
    (found,) = read(data, "sample")
    assert isinstance(found, Conversation)
    return found


def test_a_chat_transcript_gives_turns_and_leaves_out_what_was_never_sent() -> None:
    found = _one(encoded(chat()))
    roles = [turn.role.value for turn in found.turns]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "tool", "assistant"]
    assert found.turns[3].texts == (SOURCE,)
    assert found.turns[2].calls[0].name == "bash"
    assert json.loads(found.turns[2].calls[0].arguments) == {"command": "cat src/lines.py"}


def test_a_bare_list_of_messages_is_one_conversation() -> None:
    assert _one(encoded(chat()["messages"])).turns == _one(encoded(chat())).turns


def test_every_trajectory_is_a_conversation() -> None:
    found = read(encoded(tau()), "tau")
    assert [one.name for one in found] == ["tau 1", "tau 2"]
    assert found == read(lines(tau()), "tau")


def test_anthropic_messages_keep_blocks_and_tools() -> None:
    found = _one(encoded(anthropic()))
    assert [turn.role.value for turn in found.turns] == [
        "system",
        "user",
        "assistant",
        "tool",
        "tool",
        "user",
        "assistant",
    ]
    assert found.turns[4].texts == (SOURCE,)
    assert found.turns[4].call_id == "toolu_2"
    assert b'"signature"' in b"".join(map(bytes, found.turns[2].blocks))
    assert found.tools[0].name == "Bash"
    assert found.model == "claude-sonnet-4-5"


def test_the_bundled_session_is_read() -> None:
    found = _one((ROOT / "tokenpakd" / "demo" / "session.json").read_bytes())
    assert len(list(requests(found))) == 31


def test_a_claude_code_session_is_read_chain_by_chain() -> None:
    found = [one for one in read(lines(claude_code()), "session") if isinstance(one, Conversation)]
    assert [[turn.role.value for turn in one.turns] for one in found] == [
        ["user", "assistant", "tool", "assistant"],
        ["user", "assistant"],
        ["user", "assistant"],
    ]
    assert len(list(requests(found[0]))) == 2


def _bodies() -> list[bytes]:
    made = list(requests(_one(encoded(chat())), DialectName.ANTHROPIC))
    return [one.body for one in made]


def test_request_bodies_are_taken_byte_for_byte() -> None:
    bodies = [body.replace(b'":', b'" : ', 3) for body in _bodies()]
    for data in (b"\n".join(bodies), b"[" + b", ".join(bodies) + b"]"):
        (found,) = read(data, "bodies")
        assert isinstance(found, Recording)
        assert [one.body for one in found.requests] == bodies
        assert {(one.dialect, one.path) for one in found.requests} == {(DialectName.ANTHROPIC, b"/v1/messages")}
        assert "Once more." in found.requests[1].answer
        assert found.requests[-1].answer == ()


def test_recorded_exchanges_name_their_path_and_only_model_requests_count() -> None:
    hello = {"model": "gpt-5", "input": "hello"}
    recorded = [
        {"method": "POST", "target": "/v1/responses?x=1", "body": hello},
        {"method": "POST", "target": "/v1/embeddings", "body": hello},
        {"method": "GET", "target": "/v1/models", "body": None},
    ]
    (found,) = read(encoded({"client": "x", "requests": recorded}), "recorded")
    assert isinstance(found, Recording)
    assert [(one.dialect, one.path) for one in found.requests] == [(DialectName.OPENAI_RESPONSES, b"/v1/responses")]
    assert json.loads(found.requests[0].body) == hello


@pytest.mark.parametrize(
    ("body", "dialect"),
    [
        ({"model": "gpt-5", "input": [{"role": "user", "content": "x"}]}, DialectName.OPENAI_RESPONSES),
        ({"contents": [{"role": "user", "parts": [{"text": "x"}]}]}, DialectName.GEMINI),
        ({"model": "m", "system": "s", "messages": [{"role": "user", "content": "x"}]}, DialectName.ANTHROPIC),
        ({"model": "m", "options": {}, "messages": [{"role": "user", "content": "x"}]}, DialectName.OLLAMA),
        ({"model": "m", "messages": [{"role": "user", "content": "x"}]}, DialectName.OPENAI_CHAT),
    ],
)
def test_the_dialect_of_a_body_is_seen_by_its_shape(body: dict[str, object], dialect: DialectName) -> None:
    (found,) = read(encoded([body, body]), "bodies")
    assert isinstance(found, Recording)
    assert {one.dialect for one in found.requests} == {dialect}


def test_bodies_of_different_conversations_are_told_apart() -> None:
    asked = [{"model": "m", "messages": [{"role": "user", "content": text}]} for text in ("one", "two", "one")]
    found = [one for one in read(lines(asked), "x") if isinstance(one, Recording)]
    assert [len(one.requests) for one in found] == [2, 1]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"no json", "no JSON"),
        (b'{"messages": [', "no JSON"),
        (b'{"messages": []}', "no conversation"),
        (b'{"a": 1}', "no conversation"),
        (b"[]", "no conversation"),
        (b"[1, 2]", "no JSON object"),
        (b'{"type":"summary"}\n{"type":', "line 2 is no JSON"),
        (b"[" * 100_000, "no JSON|nested"),
    ],
)
def test_what_is_no_transcript_is_said(data: bytes, said: str) -> None:
    with pytest.raises(BadTranscript, match=said):
        read(data, "x")


def test_the_samples_beside_the_checkout_are_read() -> None:
    if not DATA.is_dir():
        pytest.skip(f"no recorded conversations at {DATA}")
    files = sorted(DATA.rglob("*.json"))
    assert files
    for file in files:
        found = read(file.read_bytes(), file.stem)
        assert found
        assert all(next(iter(requests(one)), None) is not None for one in found)
