import json
from typing import Any

from tokenpakd.demo import answers
from tokenpakd.demo.prompt_cache import Charge
from tokenpakd.demo.replay import read_stream

CHARGE = Charge(plain=1, read=20, write_5m=300, write_1h=4000)
CALL: list[dict[str, Any]] = [
    {"type": "text", "text": "I look at it: ünï " + "x" * 60},
    {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls -l | wc", "n": 2}},
]


def test_anthropic_usage_splits_the_bill_as_the_provider_does() -> None:
    usage = json.loads(answers.anthropic_unary(1, "demo-large", CALL, CHARGE))["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]) == (
        1,
        20,
        4300,
    )
    assert usage["cache_creation"] == {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 4000}


def test_anthropic_stream_and_whole_tell_the_same() -> None:
    whole = json.loads(answers.anthropic_unary(1, "demo-large", CALL, CHARGE))
    told = read_stream(b"".join(answers.anthropic_stream(1, "demo-large", CALL, CHARGE)))
    assert (told["content"], told["usage"]) == (CALL, whole["usage"])
    assert whole["stop_reason"] == "tool_use"


def test_openai_answer_carries_text_and_calls() -> None:
    choice = json.loads(answers.openai_unary(1, "demo-small", CALL, CHARGE))["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] == CALL[0]["text"]
    assert json.loads(choice["message"]["tool_calls"][0]["function"]["arguments"]) == CALL[1]["input"]


def test_openai_stream_tells_the_same_text_and_usage_last() -> None:
    chunks = list(answers.openai_stream(1, "demo-small", CALL, Charge(plain=1, read=20), with_usage=True))
    events = [json.loads(chunk.removeprefix(b"data: ")) for chunk in chunks[:-1]]
    text = "".join(event["choices"][0]["delta"].get("content") or "" for event in events if event["choices"])
    assert text == CALL[0]["text"]
    assert events[-1]["usage"]["prompt_tokens"] == 21
    assert chunks[-1] == b"data: [DONE]\n\n"
