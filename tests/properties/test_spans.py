"""Every span is the literal of what the official shape holds there, whatever the spelling; frame and messages too."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpakd.dialects.classify import classify
from tokenpakd.dialects.registry import dialect
from tokenpakd.exchange.request import DialectName, Look, SpanKind

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "recorded"
NEEDS_RECORDINGS = pytest.mark.skipif(not RECORDED.is_dir(), reason="no recordings beside this checkout (../shared)")
PATHS = {
    DialectName.ANTHROPIC: b"/v1/messages",
    DialectName.OPENAI_CHAT: b"/v1/chat/completions",
    DialectName.OPENAI_RESPONSES: b"/v1/responses",
    DialectName.GEMINI: b"/v1beta/models/g:generateContent",
    DialectName.OLLAMA: b"/api/chat",
}
LISTS = {DialectName.OPENAI_RESPONSES: "input", DialectName.GEMINI: "contents"}
FRAMES = ("tools", "functions", "system", "instructions", "systemInstruction", "system_instruction", "toolConfig")
EVERY = pytest.mark.parametrize("name", list(PATHS))
Expected = tuple[str, str]

# Few texts, so that twins abound; the short ones are too short for arguments.
_TEXTS = st.sampled_from(
    ("", "hi", 'é\n"q" \\ /', "\U0001f600" * 30, "a" * 79, 'def f():\n\treturn "x"\n' * 9, "{}", "wörter " * 40)
)
_TURNS = st.lists(
    st.tuples(st.sampled_from(("user", "parts", "call", "answer", "told")), _TEXTS, _TEXTS), min_size=1, max_size=7
)


def _long(text: str, least: int) -> bool:
    """Say whether a text is long enough to be pointed at in every spelling of its literal."""
    return len(text.encode()) + 2 >= least


def _anthropic(turns: list[tuple[str, str, str]]) -> tuple[dict[str, object], list[Expected]]:
    messages: list[object] = []
    expected: list[Expected] = []
    for number, (kind, one, two) in enumerate(turns):
        if kind == "user":
            messages.append({"role": "user", "content": one})
            expected.append(("user_text", one))
        elif kind == "parts":
            parts = [{"type": "text", "text": one}, {"type": "document", "source": {"data": two}, "title": one}]
            messages.append({"content": [*parts, {"type": "text", "text": two}], "role": "user"})
            expected += [("user_text", one), ("user_text", two)]
        elif kind == "call":
            given = {"path": one, "edits": [{"new_string": two}], "deep": [{"deeper": {"deepest": one}}]}
            use = {"type": "tool_use", "id": f"t{number}", "name": "edit", "input": given}
            messages.append({"role": "assistant", "content": [{"type": "text", "text": one}, use]})
            expected += [("tool_argument", text) for text in (one, two) if _long(text, 80)]
        elif kind == "answer":
            result = {"type": "tool_result", "tool_use_id": f"t{number - 1}", "content": one}
            listed = {**result, "content": [{"type": "text", "text": two}, {"type": "image", "source": one}]}
            messages.append({"role": "user", "content": [result, listed]})
            expected += [("tool_result", one), ("tool_result", two)]
        else:
            messages.append({"role": "system", "content": one})
            messages.append({"role": "assistant", "content": two})
    return {"model": "m", "system": "s", "messages": messages, "tools": [{"name": "edit"}]}, expected


def _chat(turns: list[tuple[str, str, str]]) -> tuple[dict[str, object], list[Expected]]:
    messages: list[object] = []
    expected: list[Expected] = []
    for number, (kind, one, two) in enumerate(turns):
        if kind == "user":
            messages.append({"role": "user", "content": one})
            expected.append(("user_text", one))
        elif kind == "parts":
            parts = [{"type": "text", "text": one}, {"type": "image_url", "image_url": {"url": two}}]
            messages.append({"role": "user", "content": [*parts, {"text": two, "type": "text"}]})
            expected += [("user_text", one), ("user_text", two)]
        elif kind == "call":
            written = json.dumps({"path": one}, ensure_ascii=False)
            calls = [
                {"id": f"t{number}", "function": {"name": "edit", "arguments": written}},
                {"id": "c", "custom": {"name": "patch", "input": two}},
            ]
            messages.append({"role": "assistant", "content": two, "tool_calls": calls})
            expected += [("tool_arguments", written)] if _long(written, 160) else []
            expected += [("tool_argument", two)] if _long(two, 160) else []
        elif kind == "answer":
            messages.append({"role": "tool", "tool_call_id": f"t{number - 1}", "content": one})
            messages.append({"role": "tool", "content": [{"type": "text", "text": two}]})
            expected += [("tool_result", one), ("tool_result", two)]
        else:
            messages += [{"role": "system", "content": one}, {"role": "developer", "content": two}]
    return {"tools": [{"type": "function"}], "messages": messages, "model": "m", "functions": None}, expected


def _responses(turns: list[tuple[str, str, str]]) -> tuple[dict[str, object], list[Expected]]:
    items: list[object] = []
    expected: list[Expected] = []
    for number, (kind, one, two) in enumerate(turns):
        if kind == "user":
            items.append({"role": "user", "content": one})
            expected.append(("user_text", one))
        elif kind == "parts":
            parts = [{"type": "input_text", "text": one}, {"type": "input_file", "file_data": two}]
            items.append({"type": "message", "role": "user", "content": [*parts, {"type": "input_text", "text": two}]})
            items.append({"type": "new_thing", "role": "user", "content": one})
            expected += [("user_text", one), ("user_text", two)]
        elif kind == "call":
            written = json.dumps({"path": one}, ensure_ascii=False)
            items.append({"type": "function_call", "call_id": f"t{number}", "name": "edit", "arguments": written})
            items.append({"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": two})
            items.append({"type": "mcp_call", "id": "m", "name": "n", "arguments": written, "output": two})
            expected += [("tool_arguments", written)] if _long(written, 160) else []
            expected += [("tool_argument", two)] if _long(two, 160) else []
        elif kind == "answer":
            items.append({"type": "function_call_output", "call_id": f"t{number - 1}", "output": one})
            items.append({"type": "function_call_output", "output": [{"type": "input_text", "text": two}]})
            expected += [("tool_result", one), ("tool_result", two)]
        else:
            items.append({"type": "message", "role": "developer", "content": one})
            items.append({"type": "reasoning", "summary": [{"text": two}]})
    return {"model": "m", "input": items, "instructions": "i", "tools": [{}], "stream": True}, expected


def _gemini(turns: list[tuple[str, str, str]]) -> tuple[dict[str, object], list[Expected]]:
    contents: list[object] = []
    expected: list[Expected] = []
    for kind, one, two in turns:
        if kind == "user":
            contents.append({"parts": {"text": one}})
            expected.append(("user_text", one))
        elif kind == "parts":
            contents.append({"parts": [{"text": one}, {"inlineData": {"data": two}}, {"text": two}], "role": "user"})
            expected += [("user_text", one), ("user_text", two)]
        elif kind == "call":
            call = {"name": "edit", "args": {"path": one, "edits": [two, {"new": one}]}}
            contents.append({"role": "model", "parts": [{"text": two}, {"functionCall": call}]})
            expected += [("tool_argument", text) for text in (one, two, one) if _long(text, 80)]
        elif kind == "answer":
            response = {"name": "edit", "response": {"output": one, "error": two, "deep": {"x": one}}}
            contents.append({"role": "function", "parts": [{"functionResponse": response}]})
            expected += [("tool_result", one), ("tool_result", two)]
        else:
            contents.append({"role": "model", "parts": [{"text": one, "thought": True}]})
    return {"systemInstruction": {"parts": []}, "contents": contents, "tools": [{}], "toolConfig": {"a": 1}}, expected


def _ollama(turns: list[tuple[str, str, str]]) -> tuple[dict[str, object], list[Expected]]:
    messages: list[object] = []
    expected: list[Expected] = []
    for kind, one, two in turns:
        if kind in ("user", "parts"):
            messages.append({"role": "user", "content": one, "images": [two]})
            expected.append(("user_text", one))
        elif kind == "call":
            call = {"function": {"name": "edit", "arguments": {"path": one, "more": {"new": two}}}}
            messages.append({"role": "assistant", "content": two, "thinking": one, "tool_calls": [call]})
            expected += [("tool_argument", text) for text in (one, two) if _long(text, 80)]
        elif kind == "answer":
            messages.append({"role": "tool", "content": one, "tool_name": "edit"})
            expected.append(("tool_result", one))
        else:
            messages.append({"role": "system", "content": one})
    return {"model": "m", "messages": messages, "options": {"num_ctx": 4096}, "tools": [{}]}, expected


OFFICIAL = {
    DialectName.ANTHROPIC: _anthropic,
    DialectName.OPENAI_CHAT: _chat,
    DialectName.OPENAI_RESPONSES: _responses,
    DialectName.GEMINI: _gemini,
    DialectName.OLLAMA: _ollama,
}


def _seen(name: DialectName, raw: bytes, path: bytes | None = None) -> Look:
    return dialect(name).look(raw, want_spans=True, path=path or PATHS[name])


def _check_places(name: DialectName, raw: bytes, seen: Look) -> None:
    body = json.loads(raw)
    starts = [span.start for span in seen.spans]
    assert starts == sorted(starts)
    assert len(set(starts)) == len(starts)
    framed = sorted(json.dumps(body[key]) for key in FRAMES if isinstance(body.get(key), list | dict | str))
    assert sorted(json.dumps(json.loads(raw[start:end])) for start, end in seen.frame) == framed
    assert list(seen.frame) == sorted(seen.frame)
    start, end = seen.messages
    listed = body.get(LISTS.get(name, "messages"))
    if seen.message_count:
        assert json.loads(raw[start:end]) == listed
        assert raw[start:end].strip() == raw[start:end]
        assert all(start <= span.start < span.end <= end for span in seen.spans)
    else:
        assert (start, end) == (0, 0)


@EVERY
@given(turns=_TURNS, is_ascii=st.booleans(), indent=st.sampled_from((None, None, 1)), backwards=st.booleans())
def test_spans_are_the_texts_of_the_official_shape(
    name: DialectName, turns: list[tuple[str, str, str]], *, is_ascii: bool, indent: int | None, backwards: bool
) -> None:
    body, expected = OFFICIAL[name](turns)
    if backwards:
        body = dict(reversed(body.items()))
    raw = json.dumps(body, ensure_ascii=is_ascii, indent=indent).encode()
    seen = _seen(name, raw)
    assert seen.note is None
    found = [(span.kind.value, json.loads(raw[span.start : span.end])) for span in seen.spans]
    if is_ascii:  # escapes make literals longer: more arguments are long enough
        found = [pair for pair in found if pair in expected or "argument" not in pair[0]]
    assert found == expected
    assert all(span.call is not None for span in seen.spans if "argument" in span.kind)
    _check_places(name, raw, seen)


@EVERY
@given(turns=_TURNS, cut=st.integers(0, 10_000), odd=st.sampled_from((b"7", b'"x"', b"[3]", b'{"role":[]}', b"null")))
def test_odd_bodies_have_true_spans_or_none(
    name: DialectName, turns: list[tuple[str, str, str]], cut: int, odd: bytes
) -> None:
    body, _ = OFFICIAL[name](turns)
    whole = json.dumps(body).encode()
    key = b'"' + LISTS.get(name, "messages").encode() + b'": ['
    beside = whole.replace(key, key + odd + b", ", 1)
    seen = _seen(name, beside)
    assert seen.note is None
    assert all(isinstance(json.loads(beside[span.start : span.end]), str) for span in seen.spans)
    assert json.loads(beside[slice(*seen.messages)]) == json.loads(beside)[LISTS.get(name, "messages")]
    broken = _seen(name, whole[: cut % len(whole)])
    assert (broken.spans, broken.frame, broken.messages) == ((), (), (0, 0))
    assert broken.note


@EVERY
def test_nothing_is_located_unless_asked_for(name: DialectName) -> None:
    body, _ = OFFICIAL[name]([("user", "hi", "ho"), ("answer", "a", "b")])
    seen = dialect(name).look(json.dumps(body).encode(), want_spans=False, path=PATHS[name])
    assert (seen.spans, seen.frame, seen.messages) == ((), (), (0, 0))
    assert seen.message_count > 1


@EVERY
def test_texts_that_bring_instructions_are_protected(name: DialectName) -> None:
    told = "<system-reminder>\nContents of /repo/CLAUDE.md (project instructions):\n\nbe brief\n</system-reminder>"
    turns = [("user", told, ""), ("user", "plain", ""), ("call", "x" * 200, "x" * 200), ("answer", told, "plain")]
    body, _ = OFFICIAL[name](turns)
    raw = json.dumps(body).encode()
    protected = {json.loads(raw[span.start : span.end]): span.is_protected for span in _seen(name, raw).spans}
    assert protected.pop(told) is True
    assert "plain" in protected
    assert not any(protected.values())


@EVERY
def test_what_a_protected_call_brings_is_protected(name: DialectName) -> None:
    filler = "y" * 200
    body, _ = OFFICIAL[name]([("user", "go", ""), ("call", f"AGENTS.md {filler}", filler), ("answer", "rules", "b")])
    raw = json.dumps(body).encode()
    spans = [span for span in _seen(name, raw).spans if span.call is not None and span.call.name == "edit"]
    assert len(spans) >= 2
    assert all(span.is_protected for span in spans)
    assert {span.kind for span in spans} >= {SpanKind.TOOL_RESULT}


def _recorded() -> Iterator[tuple[str, DialectName, bytes, bytes]]:
    for file in sorted(RECORDED.glob("*__*.json")):
        for request in json.loads(file.read_text(encoding="utf-8"))["requests"]:
            if isinstance(request.get("body"), dict):
                compact = (",", ":") if request["body_fmt"] == "compact" else None
                is_ascii = bool(request["body_ascii_escaped"])
                path = request["target"].partition("?")[0].encode()
                raw = json.dumps(request["body"], ensure_ascii=is_ascii, separators=compact).encode()
                yield file.name, classify(request["method"], path).dialect, raw, path


@NEEDS_RECORDINGS
def test_spans_of_recorded_requests_are_their_strings() -> None:
    kinds: dict[str, int] = {}
    for file, name, raw, path in _recorded():
        if name is DialectName.OTHER:
            continue
        seen = _seen(name, raw, path)
        for span in seen.spans:
            assert isinstance(json.loads(raw[span.start : span.end]), str), file
            kinds[span.kind.value] = kinds.get(span.kind.value, 0) + 1
        if isinstance(json.loads(raw).get(LISTS.get(name, "messages")), list):
            _check_places(name, raw, seen)
    assert kinds["user_text"] > 100
    assert kinds["tool_result"] >= 6
