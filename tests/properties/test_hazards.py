"""The ways in which compressors of others broke requests, caches and bills: none of them is ours."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.properties import hazards_print
from tests.properties.conversations import SHAPES, Turn, looked, outcome, sent, settings, written
from tests.tokenpakd.dataplane.fakes import plan, snapshot
from tokenpakd.compression.conversation import Conversation
from tokenpakd.compression.lines import LineIndex
from tokenpakd.compression.memory import Memory
from tokenpakd.compression.splice import splice
from tokenpakd.config import cache_terms
from tokenpakd.dataplane.plan import Plan
from tokenpakd.dataplane.stages import compress, parse
from tokenpakd.dataplane.stages.compress import Known
from tokenpakd.exchange.request import DialectName
from tokenpakd.telemetry.bill import saved_milli_units
from tokenpakd.tip.modes import Mode
from tokenpakd.tokens.estimate import estimate, estimate_body

Json = Any
ANTHROPIC = DialectName.ANTHROPIC
MODES = (Mode.HYBRID, Mode.AGGRESSIVE)
IN_BOTH_MODES = pytest.mark.parametrize("mode", MODES)
EVERY = pytest.mark.parametrize("name", list(SHAPES))
TERMS = cache_terms.load()
ROOT = Path(__file__).resolve().parents[2]
FILE = hazards_print.FILE
MARKER = {"type": "ephemeral"}


def _turns(count: int) -> list[Turn]:
    """Return turns that keep coming back to the same few files."""
    lines = FILE.split("\n")
    return [
        Turn(
            "bash",
            {"command": f"{('cat', 'cat -n', 'grep -n def')[n % 3]} src/file_{n % 4}.py"},
            "\n".join(f"{k}:{line}" if n % 3 else line for k, line in enumerate(lines[n % 17 : n % 17 + 30], n % 17)),
            user="go on" if n % 5 == 4 else "",
        )
        for n in range(count)
    ]


def _sent_texts(
    name: DialectName, body: bytes, known: Conversation | None = None, mode: Mode = Mode.HYBRID
) -> list[str]:
    out = sent(name, body, known, settings(mode))
    return [json.loads(out[span.start : span.end]) for span in looked(name, out).spans]


@EVERY
@IN_BOTH_MODES
def test_h01_a_block_that_ages_keeps_its_text(name: DialectName, mode: Mode) -> None:
    turns = _turns(40)
    before: list[str] = []
    for count in (1, 2, 3, 5, 8, 12, 20, 30, 40):
        texts = _sent_texts(name, written(SHAPES[name](turns[:count])), mode=mode)
        assert texts[: len(before)] == before
        before = texts


@IN_BOTH_MODES
def test_h02_nothing_is_learned_from_other_conversations(mode: Mode) -> None:
    body = written(SHAPES[ANTHROPIC](_turns(12)))
    first = sent(ANTHROPIC, body, how=settings(mode))
    for number in range(20):
        other = [turn._replace(result=turn.result.replace("method", f"other_{number}")) for turn in _turns(6)]
        sent(ANTHROPIC, written(SHAPES[ANTHROPIC](other)), how=settings(mode))
    assert sent(ANTHROPIC, body, how=settings(mode)) == first


def _digest(tokenizer: str = "", **environment: str) -> str:
    path = os.pathsep.join((str(ROOT), *filter(None, (os.environ.get("PYTHONPATH"),))))
    done = subprocess.run(
        [sys.executable, "-m", "tests.properties.hazards_print", tokenizer],
        env={**os.environ, **environment, "PYTHONPATH": path},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert len(done.stdout) == 64
    return done.stdout


@pytest.fixture(scope="module")
def digest() -> str:
    return _digest(PYTHONHASHSEED="0", LC_ALL="C.UTF-8")


@pytest.mark.parametrize(
    "environment", [{"PYTHONHASHSEED": "1"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "TZ": "Asia/Tokyo"}]
)
def test_h03_every_process_says_the_same(digest: str, environment: dict[str, str]) -> None:
    assert _digest(**environment) == digest


@pytest.mark.parametrize("tokenizer", ["blocked", "strange"])
def test_h04_an_installed_tokenizer_decides_nothing(digest: str, tokenizer: str) -> None:
    assert _digest(tokenizer) == digest


def test_h05_bytes_outside_the_spans_stay_as_they_came() -> None:
    text = json.dumps(FILE).encode()
    use = (
        rb'{ "type":"tool_use","id" : "%b","name":"b\u0061sh","input":{"command":"cat %b", "n":1.50e+3,"n":-0,"z":1E5}}'
    )
    result = b'{"content":%b,\t"tool_use_id":"%b" ,"type":"tool_result", "is_error":false}'
    head = rb'{ "temperature":1.0 ,"x":1e0, "\u006dodel":"m", "messages" :[' + b"\n "
    messages = [
        rb'{"role":"user","content":"caf\u00e9 \/ \ud83d\ude00"}',
        b'{"content":[%b , %b],"role":"assistant"}' % (use % (b"t1", b"a.py"), use % (b"t2", b"b.py")),
        b'{"role":"user" , "content":[ %b,%b ]}' % (result % (text, b"t1"), result % (text, b"t2")),
    ]
    body = head + b" ,\r\n".join(messages) + b'\t],"max_tokens":00'[:-1] + b' , "metadata":{"user_id":"\\u0000"}} \n'
    made = outcome(ANTHROPIC, body)
    out = splice(body, made.replacements)
    [change] = made.replacements
    assert out == body[: change.start] + change.literal + body[change.end :]
    assert len(out) < len(body) - 1_000
    assert json.loads(out)["messages"][0] == json.loads(body)["messages"][0]
    assert sent(ANTHROPIC, messages[0]) is messages[0], "no change, the same object"


@IN_BOTH_MODES
def test_h06_no_smaller_form_is_found_later(mode: Mode) -> None:
    body = written(SHAPES[ANTHROPIC](_turns(15)))
    made = outcome(ANTHROPIC, body, how=settings(mode))
    literals = [verdict.literal for verdict in made.verdicts]
    for _ in range(4):
        made = outcome(ANTHROPIC, body, made.conversation, settings(mode))
        assert made.known_spans == len(made.verdicts)
        assert [verdict.literal for verdict in made.verdicts] == literals


@IN_BOTH_MODES
def test_h07_a_lost_memory_changes_no_byte(mode: Mode) -> None:
    turns = _turns(20)
    bodies = [written(SHAPES[ANTHROPIC](turns[:count])) for count in range(1, 21)]
    plain = [sent(ANTHROPIC, body, how=settings(mode)) for body in bodies]
    for bytes_max in (0, 30_000, 64_000_000):
        memory = Memory(bytes_max)
        for number, body in enumerate(bodies):
            if number == 11:
                memory = Memory(bytes_max)  # a restart
            known, _ = memory.take("key", body, looked(ANTHROPIC, body))
            made = outcome(ANTHROPIC, body, known, settings(mode))
            assert splice(body, made.replacements) == plain[number]
            memory.keep("key", made.conversation)


def _marked(body: Json, *places: int) -> bytes:
    """Return a request as clients mark it: the last block of some messages, old ones written as strings again."""
    messages = []
    for number, message in enumerate(body["messages"]):
        content = message["content"]
        if number in places:
            blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
            content = [*blocks[:-1], {"cache_control": MARKER, **blocks[-1]}]
        elif isinstance(content, list) and len(content) == 1 and content[0]["type"] == "text":
            content = content[0]["text"]
        messages.append({**message, "content": content})
    return written({**body, "messages": messages})


@IN_BOTH_MODES
def test_h08_cache_control_decides_nothing(mode: Mode) -> None:
    turns = _turns(8)
    whole = SHAPES[ANTHROPIC](turns)
    count = len(whole["messages"])
    for least in (0, *range(20, 900, 16)):  # also where the first cacheable span is a matter of a few bytes
        how = settings(mode, least=least)
        known: Conversation | None = None
        expected: list[bytes | None] = []
        for place in range(1, count):
            body = _marked(whole, place - 1, place)
            made = outcome(ANTHROPIC, body, known, how)
            literals = [verdict.literal for verdict in made.verdicts]
            known = None if place % 3 else made.conversation
            expected = expected or literals
            assert literals == expected, (least, place)


@IN_BOTH_MODES
def test_h09_no_size_of_the_whole_flips_a_block(mode: Mode) -> None:
    turns = _turns(150)
    how = settings(mode, least=1024)
    known: Conversation | None = None
    literals: list[bytes | None] = []
    for count in range(1, 151):
        body = written(SHAPES[ANTHROPIC](turns[:count]))
        made = outcome(ANTHROPIC, body, known, how)
        now = [verdict.literal for verdict in made.verdicts]
        if count % 30 == 0:
            assert [verdict.literal for verdict in outcome(ANTHROPIC, body, how=how).verdicts] == now
        assert now[: len(literals)] == literals
        known, literals = made.conversation, now
    assert sum(literal is not None for literal in literals) > 50


@EVERY
@IN_BOTH_MODES
def test_h10_calls_and_results_still_pair(name: DialectName, mode: Mode) -> None:
    body = written(SHAPES[name](_turns(12)))
    out = sent(name, body, how=settings(mode))
    assert len(out) < len(body)

    def ids(value: Json) -> Iterator[tuple[str, str]]:
        for key, cell in value.items() if isinstance(value, dict) else enumerate(value):
            if key in ("id", "tool_use_id", "call_id", "tool_call_id", "name", "tool_name", "role", "type"):
                yield str(key), json.dumps(cell)
            elif isinstance(cell, dict | list):
                yield from ids(cell)

    assert list(ids(json.loads(out))) == list(ids(json.loads(body)))


def _with_everything() -> Json:
    """Return a conversation in which the same text stands in every kind of block there is."""
    use = [{"type": "tool_use", "id": f"t{n}", "name": "bash", "input": {"command": f"cat {n}.py"}} for n in range(2)]
    server = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": FILE}}
    found = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [
        {"type": "web_search_result", "title": FILE, "encrypted_content": FILE, "url": "u"}]}  # fmt: skip
    instructions = {"type": "tool_use", "id": "t9", "name": "read", "input": {"file_path": "CLAUDE.md"}}
    return {
        "model": "m",
        "system": [{"type": "text", "text": FILE}, {"type": "text", "text": FILE, "cache_control": MARKER}],
        "tools": [{"name": "bash", "description": FILE, "input_schema": {"type": "object", "description": FILE}}],
        "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": FILE, "signature": FILE}, {"type": "redacted_thinking", "data": FILE},
                server, found, {"type": "text", "text": FILE, "citations": [{"cited_text": FILE}]}, *use,
                instructions]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t0", "content": FILE},
                {"type": "tool_result", "tool_use_id": "t1", "content": FILE},
                {"type": "tool_result", "tool_use_id": "t9", "content": FILE},
                {"type": "tool_result", "tool_use_id": "srvtoolu_1", "content": FILE},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": FILE},
                 "context": FILE},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": FILE}},
                {"type": "search_result", "source": FILE, "content": [{"type": "text", "text": FILE}]},
                {"type": "of_tomorrow", "text": FILE},
                {"type": "text", "text": f"Contents of /home/me/CLAUDE.md:\n{FILE}"}]},
            {"role": "assistant", "content": FILE},
            {"role": "system", "content": FILE},
        ],
    }  # fmt: skip


@IN_BOTH_MODES
def test_h11_protected_blocks_stay_as_they_came(mode: Mode) -> None:
    body = written(_with_everything())
    made = outcome(ANTHROPIC, body, how=settings(mode))
    out = splice(body, made.replacements)
    before, after = json.loads(body), json.loads(out)
    assert out.count(json.dumps(FILE, ensure_ascii=False).encode()) == body.count(
        json.dumps(FILE, ensure_ascii=False).encode()
    ) - len(made.replacements)
    replaced = after["messages"][2]["content"][:2]
    assert any(block["content"] != FILE for block in replaced), "there was something to do"
    before["messages"][2]["content"][:2] = replaced
    assert after == before


@EVERY
@IN_BOTH_MODES
def test_h12_nothing_is_put_in(name: DialectName, mode: Mode) -> None:
    body = written(SHAPES[name](_turns(12)))
    before, after = json.loads(body), json.loads(sent(name, body, how=settings(mode)))
    assert list(before) == list(after)
    key = next(key for key in ("messages", "input", "contents") if key in before)
    assert len(before[key]) == len(after[key])
    assert {one: before[one] for one in before if one != key} == {one: after[one] for one in after if one != key}


def _markers(value: Json, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Json]]:
    for key, cell in value.items() if isinstance(value, dict) else enumerate(value):
        if key == "cache_control":
            yield path, cell
        elif isinstance(cell, dict | list):
            yield from _markers(cell, (*path, str(key)))


@pytest.mark.parametrize("ttl", [{}, {"ttl": "1h"}])
def test_h13_h14_markers_keep_their_number_place_and_lifetime(ttl: dict[str, str]) -> None:
    whole = SHAPES[ANTHROPIC](_turns(12))
    whole["system"] = [{"type": "text", "text": whole["system"], "cache_control": {**MARKER, **ttl}}]
    whole["tools"][-1]["cache_control"] = {**MARKER, **ttl}
    for place in (-1, -3):
        whole["messages"][place]["content"][-1]["cache_control"] = {**MARKER, **ttl}
    body = written(whole)
    out = sent(ANTHROPIC, body)
    assert len(out) < len(body)
    markers = list(_markers(json.loads(out)))
    assert markers == list(_markers(whole))
    assert len(markers) == 4
    assert all(marker == {**MARKER, **ttl} for _, marker in markers)


def _plan(body: bytes, mode: Mode = Mode.HYBRID, *headers: tuple[bytes, bytes], at_unix_ms: int = 1_000) -> Plan:
    given = plan(*headers, body=body, snapshot=snapshot(mode=mode))
    given = msgspec.structs.replace(given, inbound=msgspec.structs.replace(given.inbound, at_unix_ms=at_unix_ms))
    return parse.look(given, lambda conversation, epoch: None, TERMS.terms_for)[0]


def _applied(given: Plan, known: Conversation | None = None) -> tuple[Plan, Conversation]:
    how = compress.settings_of(given)
    assert how is not None
    assert given.body is not None
    shared = known.shared(given.body, given.look) if known is not None else 0
    terms = TERMS.terms_for(given.look.model, given.endpoint.dialect)
    after, _, conversation = compress.apply(given, how, Known(known, shared), terms)
    assert conversation is not None
    return after, conversation


def _claude(turns: list[Turn]) -> bytes:
    whole = SHAPES[ANTHROPIC](turns, "read the files. " * 400)
    return written({**whole, "model": "claude-sonnet-4-5", "cache_control": MARKER})


def test_h15_a_loss_is_shown_as_a_loss() -> None:
    """A re-pin throws the provider's cache away; that request costs more than it would have raw."""
    passed = "".join(f"tests/test_app.py::test_number_{n} PASSED [ {n}%]\n" for n in range(90))
    tests = Turn("bash", {"command": "pytest -v"}, f"{passed}==== 90 passed in 1.02s ====\n")
    turns = [tests, *_turns(12)]
    _, known = _applied(_plan(_claude(turns)))
    steady, _ = _applied(_plan(_claude(turns)), _applied(_plan(_claude(turns)))[1])
    broken, _ = _applied(_plan(_claude(turns), Mode.AGGRESSIVE), known)
    assert steady.prefix_break == "none"
    assert steady.saved_milli_units is not None
    assert steady.saved_milli_units > 0
    assert broken.body != steady.body
    assert broken.prefix_break == "us"
    assert broken.saved_milli_units is not None
    assert broken.saved_milli_units < 0


def test_h15_no_prompt_is_shrunk_below_the_smallest_that_is_cached() -> None:
    """A prompt just above it would be billed in full if it fell below."""
    for padding in range(0, 3_000, 60):
        body = written({**SHAPES[ANTHROPIC](_turns(8), "x" * padding), "model": "claude-sonnet-4-5"})
        how = settings(least=512)
        made = outcome(ANTHROPIC, body, how=how)
        out = splice(body, made.replacements)
        if out is not body:
            assert estimate(out) >= how.min_cacheable_tokens


def test_h15_a_loss_is_billed_as_one() -> None:
    terms = TERMS.terms_for("claude-sonnet-4-5", ANTHROPIC)
    least = terms.min_cacheable_tokens
    saved = saved_milli_units(
        terms, raw_total=least + 10, sent_total=least - 10, raw_known=least, sent_known=least - 50, is_alive=True
    )
    assert saved < 0


def test_h16_counts_cover_the_whole_conversation() -> None:
    body = _claude(_turns(12))
    first, known = _applied(_plan(body))
    again, _ = _applied(_plan(body), known)
    assert again.known_spans == len(again.look.spans)
    assert again.saved_tokens == first.saved_tokens == again.removed_known_tokens > 0
    assert sum(note.tokens_before - note.tokens_after for note in first.span_notes) == first.saved_tokens
    assert first.body is not None
    shrunk = estimate(body) - estimate(first.body)
    assert abs(first.saved_tokens - shrunk) < 0.1 * shrunk, "what was left out is what was counted"
    assert abs(estimate_body(body) - estimate(body)) < 0.1 * estimate(body)


@EVERY
@IN_BOTH_MODES
def test_h17_json_stays_json(name: DialectName, mode: Mode) -> None:
    rows = [{"id": n, "name": f"customer number {n}", "note": "a long note " * 6, "price": 1.50} for n in range(12)]
    turns = [
        Turn("get", {"query": json.dumps({"deep": [FILE]})}, json.dumps(rows, indent=2)),
        Turn("write", {"file_path": "a.json", "content": json.dumps(rows)}, "ok"),
        Turn("get", {"query": "other"}, json.dumps([*rows[:7], {**rows[7], "id": 99}], indent=1)),
        Turn("get", {"query": "same"}, json.dumps(rows, indent=2)),
    ]
    body = written(SHAPES[name](turns))
    out = sent(name, body, how=settings(mode))
    assert len(out) < len(body)
    json.loads(out)
    for span in looked(name, out).spans:
        text = json.loads(out[span.start : span.end])
        if span.kind.value == "tool_result" and text != "ok" and not text.startswith("[same output as"):
            json.loads(text)
        elif span.kind.value == "tool_arguments":
            assert json.loads(text)


@EVERY
def test_h18_streaming_stays_on(name: DialectName) -> None:
    whole = {**SHAPES[name](_turns(8)), "stream": True, "stream_options": {"include_usage": True}}
    body = written(whole)
    out = sent(name, body)
    assert len(out) < len(body)
    assert looked(name, out).is_stream == looked(name, body).is_stream
    assert (json.loads(out)["stream"], json.loads(out)["stream_options"]) == (True, {"include_usage": True})


def test_h19_subscriptions_are_treated_like_keys() -> None:
    body = _claude(_turns(12))
    key = _applied(_plan(body, Mode.HYBRID, (b"x-api-key", b"sk-ant-api03-x")))[0]
    beta = (b"anthropic-beta", b"oauth-2025-04-20")
    token = _applied(_plan(body, Mode.HYBRID, (b"authorization", b"Bearer sk-ant-oat01-x"), beta))[0]
    assert token.body == key.body
    fields = ("mode", "applied", "arm", "compressors", "conversation", "min_cacheable_tokens", "masked_spans")
    assert [getattr(token, field) for field in fields] == [getattr(key, field) for field in fields]
    assert token.applied is Mode.HYBRID, "never more than was asked for"


def _adversaries() -> dict[str, tuple[str, ...]]:
    lines = [f"    value_{n} = compute({n * 7919 % 1000}, {n})" for n in range(10_000)]
    numbered = [f"{n}:    return None" for n in range(0, 20_000, 3)]
    return {
        "identical lines": ("x = 1\n" * 100_000,),
        "identical lines twice": ("return None\n" * 20_000, "return None\n" * 19_000 + "end"),
        "one line": ("abc def " * 1_250_000,),
        "one line without a blank": ("a" * 3_000_000, "a" * 3_000_000),
        "the same lines in two orders": ("\n".join(lines), "\n".join(sorted(lines)), "\n".join(reversed(lines))),
        "lines that begin alike": tuple(
            "\n".join(f"{'same words here ' * 6}{n * k}" for n in range(5_000)) for k in (1, 3)
        ),
        "nearly equal": tuple("\n".join([*lines[:k], "odd one", *lines[k:]]) for k in range(0, 3_000, 500)),
        "equal lines, other numbers": (
            "\n".join(numbered),
            "\n".join(f"{n * 2 + n % 3}:    return None" for n in range(7_000)),
        ),
        "a text twice over, its lines alike": (
            "\n".join([f"INFO worker {n} did something" for n in (-1, *range(4_000), *range(4_000))]),
        ),
        "alternating": ("\n".join(("aaaaaaaa", "bbbbbbbb")[n % 2] for n in range(40_000)),) * 2,
        "deep": ("[" * 200_000 + "]" * 200_000, '{"a":' * 50_000 + "1" + "}" * 50_000),
        "half escapes": ("\x1b[" * 200_000, "\x1b]0;" * 100_000, "50%\r" * 200_000, "\x08" * 300_000),
        "digits": ("0123456789" * 60_000, "\n".join(str(n) for n in range(100_000))),
        "own notation": ('[2 lines as in a.py "x"]\n[3 lines begin "y:"]\n' * 8_000,) * 2,
        "json": (json.dumps([{"a": n, "b": [n, {"c": "x" * (n % 9)}]} for n in range(12_000)]),) * 2,
    }


ADVERSARIES = _adversaries()
_SECONDS_PER_MB = 1.0
"""0.3 are aimed at on a quiet machine; a quadratic search takes hundreds."""


@IN_BOTH_MODES
@pytest.mark.parametrize("title", list(ADVERSARIES))
def test_h20_cost_is_linear_whatever_comes(title: str, mode: Mode) -> None:
    texts = ADVERSARIES[title]
    turns = [Turn("bash", {"command": f"run {n}"}, text) for n, text in enumerate(texts)]
    body = written(SHAPES[ANTHROPIC](turns))
    look = looked(ANTHROPIC, body)
    begun = time.process_time()
    made = outcome(ANTHROPIC, body, how=settings(mode))
    spent = time.process_time() - begun
    size_mb = len(body) / 1e6
    sys.stdout.write(f"\n{title}, {mode.value}: {size_mb:.1f} MB, {spent / size_mb:.3f} s/MB\n")
    assert len(made.verdicts) == len(look.spans)
    assert not [verdict.why for verdict in made.verdicts if verdict.why.startswith("failed")]
    assert spent < 0.2 + _SECONDS_PER_MB * size_mb


def test_h20_rewinding_costs_no_more_than_deciding() -> None:
    turns = _turns(120)
    body = written(SHAPES[ANTHROPIC](turns))
    made = outcome(ANTHROPIC, body)
    begun = time.process_time()
    known = made.conversation
    for kept in range(119, 0, -1):
        known = outcome(ANTHROPIC, written(SHAPES[ANTHROPIC](turns[:kept])), known).conversation
    assert time.process_time() - begun < 5
    assert isinstance(known.lines, LineIndex)
    assert known.lines.mark() == outcome(ANTHROPIC, written(SHAPES[ANTHROPIC](turns[:1]))).conversation.lines.mark()
