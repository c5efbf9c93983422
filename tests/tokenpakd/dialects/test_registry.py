"""Every dialect keeps the same promises, whatever it is asked."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpakd.dialects.classify import classify
from tokenpakd.dialects.registry import dialect
from tokenpakd.exchange.request import DialectName, Look, SpanKind

RECORDED = Path(__file__).resolve().parents[4] / "shared" / "recorded"
NEEDS_RECORDINGS = pytest.mark.skipif(not RECORDED.is_dir(), reason="no recordings beside this checkout (../shared)")
EVERY = pytest.mark.parametrize("name", list(DialectName))

_KEYS = (
    *("model", "stream", "system", "instructions", "messages", "input", "contents", "parts", "role", "content", "type"),
    *("text", "id", "name", "tool_use_id", "tool_call_id", "tool_calls", "call_id", "output", "function", "prompt"),
    *("functionCall", "functionResponse", "response", "args", "arguments", "context_management", "tool_name"),
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from((*_KEYS, "user", "tool", "tool_result")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=6),
    max_leaves=30,
)


@EVERY
@given(body=st.binary(max_size=60) | _VALUES.map(lambda value: json.dumps(value).encode()), path=st.binary(max_size=20))
def test_look_never_raises(name: DialectName, body: bytes, path: bytes) -> None:
    seen = dialect(name).look(body, want_spans=True, path=path)
    assert seen.dialect is name
    assert [body[span.start] for span in seen.spans] == [0x22] * len(seen.spans)


@EVERY
@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 503])
def test_errors_are_json_and_hold_the_message(name: DialectName, status: int) -> None:
    message = 'budget "x" reached — é'
    body = dialect(name).error_body(status=status, code="c", message=message, request_id="r", fields={"model": "m"})
    assert json.loads(body)["error"]
    assert json.dumps(message, ensure_ascii=False).encode() in body


@EVERY
def test_unary_reply_gets_no_event(name: DialectName) -> None:
    assert (
        dialect(name).cut_event(message="m", request_id="r", mid_event=False, content_type=b"application/json") == b""
    )


def _recorded(file: str) -> list[Look]:
    looks = []
    for request in json.loads((RECORDED / file).read_text(encoding="utf-8"))["requests"]:
        if isinstance(request.get("body"), dict):
            compact = (",", ":") if request["body_fmt"] == "compact" else None
            is_ascii = bool(request["body_ascii_escaped"])
            body = json.dumps(request["body"], ensure_ascii=is_ascii, separators=compact).encode()
            path = request["target"].partition("?")[0].encode()
            endpoint = classify(request["method"], path)
            looks.append(dialect(endpoint.dialect).look(body, want_spans=True, path=path))
    return looks


@NEEDS_RECORDINGS
def test_conversation_keeps_its_opening_until_it_is_compacted() -> None:
    looks = _recorded("claude_tui_2.1.329__two_turns_compact.json")
    openings = [seen.opening for seen in looks]
    assert len(openings) == 6
    assert len(set(openings[:5])) == 1
    assert openings[5] != openings[0]


@NEEDS_RECORDINGS
def test_resumed_conversation_has_the_opening_it_began_with() -> None:
    first, again = (_recorded(f"claude_code_2.1.329__resume_{part}.json") for part in "ab")
    assert [seen.opening for seen in first] == [seen.opening for seen in again]


@NEEDS_RECORDINGS
@pytest.mark.parametrize(
    ("file", "tool"),
    [
        ("claude_code_2.1.329__tool.json", "Bash"),
        ("codex_0.169.0__custom_tool.json", "exec_command"),
        ("gemini_cli_0.61.0__tool.json", "list_directory"),
        ("pydantic_ai_2.38.0__oai.json", "get_weather"),
        ("pydantic_ai_2.38.0__gem.json", "get_weather"),
        ("openai_agents_py_0.24.0__run.json", "get_weather"),
    ],
)
def test_tool_turn_belongs_to_the_turn_before_and_names_its_call(file: str, tool: str) -> None:
    *_, asked, answered = _recorded(file)
    assert asked.opening == answered.opening != ()
    [span] = [span for span in answered.spans if span.kind is SpanKind.TOOL_RESULT]
    assert span.call is not None
    assert span.call.name == tool


@NEEDS_RECORDINGS
def test_every_recorded_model_request_is_understood() -> None:
    files = [file.name for file in RECORDED.glob("*__*.json")]
    looks = [seen for file in files for seen in _recorded(file) if seen.dialect is not DialectName.OTHER]
    assert len(looks) > 100
    assert not [seen for seen in looks if seen.note]
    assert not [seen for seen in looks if seen.model is None and seen.message_count]
