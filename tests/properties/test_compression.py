"""What compression promises, for every wire format, whatever a conversation looks like."""

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpakd.compression.registry import compressors
from tokenpakd.compression.splice import Replacement, splice
from tokenpakd.dialects.registry import dialect
from tokenpakd.exchange.request import DialectName, Look, Span
from tokenpakd.tip.modes import Mode

SHARED = Path(__file__).resolve().parents[3] / "shared"
NEEDS_DATA = pytest.mark.skipif(
    not (SHARED / "data").is_dir(), reason="no sample data beside this checkout (../shared)"
)

Json = Any
Turn = tuple[str, dict[str, Json], str, bool]
"""Tool, arguments, result, and whether the result is sent as a list of parts."""


def _anthropic(turns: list[Turn]) -> Json:
    messages: list[Json] = [{"role": "user", "content": [{"type": "text", "text": "go"}]}]
    for number, (tool, arguments, result, is_list) in enumerate(turns):
        call_id = f"toolu_{number}"
        use = {"type": "tool_use", "id": call_id, "name": tool, "input": arguments}
        content = [{"type": "text", "text": result}] if is_list else result
        messages += (
            {"role": "assistant", "content": [{"type": "text", "text": result}, use]},
            {"role": "user", "content": [{"tool_use_id": call_id, "type": "tool_result", "content": content}]},
        )
    return {"model": "m", "max_tokens": 1, "messages": messages}


def _chat(turns: list[Turn]) -> Json:
    messages: list[Json] = [{"role": "user", "content": "go"}]
    for number, (tool, arguments, result, is_list) in enumerate(turns):
        function = {"name": tool, "arguments": json.dumps(arguments)}
        content = [{"type": "text", "text": result}] if is_list else result
        messages += (
            {"role": "assistant", "tool_calls": [{"id": f"c{number}", "type": "function", "function": function}]},
            {"role": "tool", "tool_call_id": f"c{number}", "content": content},
        )
    return {"model": "m", "messages": messages}


def _responses(turns: list[Turn]) -> Json:
    items: list[Json] = [{"role": "user", "content": "go"}]
    for number, (tool, arguments, result, is_list) in enumerate(turns):
        output = [{"type": "input_text", "text": result}] if is_list else result
        items += (
            {"type": "function_call", "call_id": f"c{number}", "name": tool, "arguments": json.dumps(arguments)},
            {"type": "function_call_output", "call_id": f"c{number}", "output": output},
        )
    return {"model": "m", "input": items}


def _gemini(turns: list[Turn]) -> Json:
    contents: list[Json] = [{"role": "user", "parts": [{"text": "go"}]}]
    for tool, arguments, result, _ in turns:
        contents += (
            {"role": "model", "parts": [{"functionCall": {"name": tool, "args": arguments}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": tool, "response": {"output": result}}}]},
        )
    return {"contents": contents}


def _ollama(turns: list[Turn]) -> Json:
    messages: list[Json] = [{"role": "user", "content": "go"}]
    for tool, arguments, result, _ in turns:
        messages += (
            {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": tool, "arguments": arguments}}]},
            {"role": "tool", "tool_name": tool, "content": result},
        )
    return {"model": "m", "messages": messages}


SHAPES: dict[DialectName, Callable[[list[Turn]], Json]] = {
    DialectName.ANTHROPIC: _anthropic,
    DialectName.OPENAI_CHAT: _chat,
    DialectName.OPENAI_RESPONSES: _responses,
    DialectName.GEMINI: _gemini,
    DialectName.OLLAMA: _ollama,
}
EVERY = pytest.mark.parametrize("name", list(SHAPES))

_UNITS = ("line of output\n", 'é "q" \\ \t', "😀/\u2028\x00", "0", "a\ud83db")
_RESULTS = st.builds(
    lambda unit, times: unit * times, st.sampled_from(_UNITS), st.sampled_from((0, 1, 40, 399, 400, 900))
)
_ARGUMENTS = st.sampled_from(
    ({"command": "cat src/a.py"}, {"command": 'grep "é" .'}, {"path": "."}, {}, {"file_path": "/x" * 90}, {"n": [1.0]})
)
_TURNS = st.lists(st.tuples(st.sampled_from(("bash", "read")), _ARGUMENTS, _RESULTS, st.booleans()), max_size=8)
_WRITINGS: tuple[dict[str, Json], ...] = (
    {"separators": (",", ":"), "ensure_ascii": False},
    {"separators": (",", ":")},
    {},
    {"separators": (" ,\n", " :\t")},
)


def _written(body: Json, how: dict[str, Json]) -> bytes:
    return json.dumps(body, **how).encode("utf-8", "surrogatepass")


def _look(name: DialectName, body: bytes) -> Look:
    return dialect(name).look(body, want_spans=True, path=b"/v1beta/models/m:generateContent")


def _changes(body: bytes, spans: tuple[Span, ...]) -> list[Replacement]:
    found = [change for each in compressors(Mode.HYBRID) for change in each.replacements(body, spans)]
    return sorted(found, key=lambda change: change.start)


def _compressed(name: DialectName, body: bytes) -> bytes:
    return splice(body, _changes(body, _look(name, body).spans))


def _is_pointer(text: str) -> bool:
    return text.startswith("[same ") and text.endswith(", unchanged]")


def _strings(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for element in value:
            yield from _strings(element)
    elif isinstance(value, dict):
        for element in value.values():
            yield from _strings(element)


def _shape(value: Json) -> Json:
    if isinstance(value, str):
        return ""
    if isinstance(value, list):
        return [_shape(element) for element in value]
    if isinstance(value, dict):
        return {key: _shape(element) for key, element in value.items()}
    return value


def _check(name: DialectName, body: bytes) -> bytes:
    """Check everything that holds for one request; return what is sent."""
    sent = _compressed(name, body)
    assert sent == _compressed(name, bytes(bytearray(body))), "deterministic"
    assert _compressed(name, sent) is sent, "idempotent"
    spans = _look(name, body).spans
    changes = _changes(body, spans)
    assert len(sent) == len(body) - sum(change.end - change.start - len(change.literal) for change in changes)
    assert all(len(change.literal) < change.end - change.start for change in changes), "never longer"
    assert (sent is body) == (not changes)
    position, taken = 0, 0
    for change in changes:
        kept = body[position : change.start]
        assert sent[taken : taken + len(kept)] == kept, "bytes between spans"
        position, taken = change.end, taken + len(kept) + len(change.literal)
    assert sent[taken:] == body[position:], "bytes behind the spans"
    before, after = json.loads(body), json.loads(sent)
    assert _shape(before) == _shape(after), "same document"
    for one, other in zip(_strings(before), _strings(after), strict=True):
        assert one == other or (_is_pointer(other) and len(one) >= 400)
    _check_pointers(name, body, sent)
    return sent


def _check_pointers(name: DialectName, body: bytes, sent: bytes) -> None:
    """Each pointer names a call whose result stands in what is sent and is what the pointer stands for."""
    old = [(span.call, json.loads(body[span.start : span.end])) for span in _look(name, body).spans]
    new = [json.loads(sent[span.start : span.end]) for span in _look(name, sent).spans]
    assert len(old) == len(new)
    for index, (_, text) in enumerate(old):
        if new[index] == text:
            continue
        targets = [place for place in range(index) if new[place] == text]
        assert len(targets) == 1, "the first occurrence stands, once"
        call = old[targets[0]][0]
        assert call is not None
        if not call.label:
            assert f" {call.ordinal}" in new[index]
            continue
        assert f'"{call.label}" ({call.name})' in new[index]
        rivals = {one for one, _ in old[:index] if one is not None and (one.name, one.label) == (call.name, call.label)}
        assert len(rivals) == 1 or f" {call.ordinal}" in new[index], "a number where it is needed"


@EVERY
@given(turns=_TURNS, how=st.sampled_from(_WRITINGS))
def test_every_request_keeps_the_promises(name: DialectName, turns: list[Turn], how: dict[str, Json]) -> None:
    _check(name, _written(SHAPES[name](turns), how))


@EVERY
@given(turns=_TURNS, how=st.sampled_from(_WRITINGS))
def test_longer_conversation_begins_with_the_bytes_of_the_shorter(
    name: DialectName, turns: list[Turn], how: dict[str, Json]
) -> None:
    bodies = [_written(SHAPES[name](turns[:count]), how) for count in range(len(turns) + 1)]
    sent = [_compressed(name, body) for body in bodies]
    for index in range(len(turns)):
        assert bodies[index + 1].startswith(bodies[index][:-2])
        assert sent[index + 1].startswith(sent[index][:-2])


@EVERY
def test_repeat_is_found_in_every_dialect(name: DialectName) -> None:
    long = "line of output\n" * 100
    turns: list[Turn] = [("bash", {"command": f"cat {file}"}, long, False) for file in ("aa", "bb")]
    body = _written(SHAPES[name](turns), {})
    sent = _check(name, body)
    assert '[same output as your earlier \\"cat aa\\" (bash), unchanged]' in sent.decode()
    assert len(sent) < len(body) - 1_000


@EVERY
def test_odd_turn_later_changes_nothing_before_it(name: DialectName) -> None:
    long = "line of output\n" * 100
    turns: list[Turn] = [("bash", {"command": f"cat {file}"}, long, False) for file in ("aa", "bb", "cc")]
    whole = SHAPES[name](turns)
    sent = _compressed(name, _written(whole, {}))
    for odd in ({"role": 7}, 3, "text", {"role": "user", "content": 5, "parts": "x"}):
        key = next(key for key in ("messages", "input", "contents") if key in whole)
        later = {**whole, key: [*whole[key], odd]}
        assert _compressed(name, _written(later, {})).startswith(sent[:-2])


def test_client_that_spells_a_turn_anew_gets_the_same_texts() -> None:
    long = "line of output\n" * 100
    turns: list[Turn] = [("bash", {"command": f"cat {file}"}, long, True) for file in ("aa", "bb", "cc")]
    first = _anthropic(turns)
    first["messages"][-1]["content"][0]["cache_control"] = {"type": "ephemeral"}
    again = _anthropic([(tool, arguments, result, False) for tool, arguments, result, _ in turns])
    once, twice = (
        [
            text
            for text in _strings(json.loads(_compressed(DialectName.ANTHROPIC, _written(body, how))))
            if _is_pointer(text)
        ]
        for body, how in ((first, _WRITINGS[1]), (again, _WRITINGS[0]))
    )
    assert once == twice
    assert len(once) == 2


def test_equal_keys_replace_the_last_or_nothing() -> None:
    long = json.dumps("line of output\n" * 100).encode()
    use = b'{"type":"tool_use","id":"%b","name":"bash","input":{"command":"cat %b"}}'
    result = b'{"type":"tool_result","tool_use_id":"%b","content":"shadowed","content":%b}'
    body = b'{"messages":[{"role":"assistant","content":[%b,%b]},{"role":"user","content":[%b,%b]}]}' % (
        *(use % (one, one) for one in (b"aa", b"bb")),
        *(result % (one, long) for one in (b"aa", b"bb")),
    )
    sent = _check(DialectName.ANTHROPIC, body)
    assert sent.count(b'"shadowed"') == 2
    assert sent.count(long) == 1
    assert json.loads(sent)["messages"][1]["content"][1]["content"].startswith("[same output")


@pytest.mark.skipif(not (SHARED / "recorded").is_dir(), reason="no recordings beside this checkout (../shared)")
@pytest.mark.parametrize("name", list(DialectName))
def test_recorded_requests_keep_the_promises(name: DialectName) -> None:
    count = 0
    for file in sorted((SHARED / "recorded").glob("*__*.json")):
        for request in json.loads(file.read_text(encoding="utf-8"))["requests"]:
            if isinstance(request.get("body"), dict):
                count += 1
                _check(name, _written(request["body"], {"ensure_ascii": bool(request["body_ascii_escaped"])}))
    assert count > 100


def _conversations() -> Iterator[tuple[str, list[Turn]]]:
    for file in sorted((SHARED / "data" / "mini-swe-agent").glob("*.json"))[:6]:
        yield file.stem, _turns(json.loads(file.read_text(encoding="utf-8"))["messages"])
    for talk in json.loads((SHARED / "data" / "tau-bench" / "gpt-4o-airline-dev.json").read_text("utf-8"))[:20]:
        yield f"tau-bench {talk['task_id']}", _turns(talk["traj"])


def _turns(messages: list[Json]) -> list[Turn]:
    calls, turns = {}, []
    for message in messages:
        for call in message.get("tool_calls") or ():
            calls[call["id"]] = call["function"]
        if message["role"] == "tool":
            function = calls[message["tool_call_id"]]
            turns.append((function["name"], json.loads(function["arguments"]), message["content"] or "", False))
    return turns


@NEEDS_DATA
@pytest.mark.parametrize("name", [DialectName.ANTHROPIC, DialectName.OPENAI_CHAT])
def test_real_conversations_keep_the_promises(name: DialectName) -> None:
    removed = whole = 0
    for title, turns in _conversations():
        body = _written(SHAPES[name](turns), _WRITINGS[0])
        sent = _check(name, body)
        half = _compressed(name, _written(SHAPES[name](turns[: len(turns) // 2]), _WRITINGS[0]))
        assert sent.startswith(half[:-2]), title
        removed, whole = removed + len(body) - len(sent), whole + len(body)
    sys.stdout.write(f"\n{name.value}: {removed:,} of {whole:,} bytes are exact repeats\n")
    assert removed > 0


@EVERY
def test_cost_is_told(name: DialectName) -> None:
    turns: list[Turn] = [
        ("bash", {"command": f"cat src/{n % 60}.py"}, f"{n % 250} line\n" * 380, False) for n in range(300)
    ]
    body = _written(SHAPES[name](turns), _WRITINGS[0])
    spans = _look(name, body).spans
    changes = _changes(body, spans)
    steps: dict[str, Callable[[], object]] = {
        "look": lambda: _look(name, body),
        "decide": lambda: _changes(body, spans),
        "splice": lambda: splice(body, changes),
    }
    told = [f"{len(body) / 1e6:.2f} MB", f"{len(spans)} spans", f"{len(changes)} replaced"]
    for step, run in steps.items():
        times = []
        for _ in range(5):
            begun = time.perf_counter()
            run()
            times.append(time.perf_counter() - begun)
        told.append(f"{step} {statistics.median(times) * 1e3:.2f} ms")
        assert statistics.median(times) < 1
    sys.stdout.write(f"\n{name.value}: {', '.join(told)}\n")
    assert len(changes) == 50
