"""A mask is raised where that is free or pays for itself, in batches, and never over what is new."""

import json
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from tokenpakd.compression import engine, masking
from tokenpakd.compression.conversation import Conversation, Settings
from tokenpakd.compression.masking import BATCH_CALLS, NEWEST, SHORTEST_BYTES, Raise
from tokenpakd.config.cache_terms import CacheTerms
from tokenpakd.dialects.registry import dialect
from tokenpakd.exchange.request import Call, DialectName, Look, Span, SpanKind

TERMS = CacheTerms(write_5m=1.25, write_1h=2.0, read=0.1, ttl_s=300, ttl_long_s=3600)
UNCACHED = TERMS.without_cache()
SETTINGS = Settings(compressors="hybrid-1")
MARKER = {"cache_control": {"type": "ephemeral"}}
RESULT_LINES = 40


def text(number: int, lines: int = RESULT_LINES) -> str:
    """Return a tool's output that shares no line with another one."""
    return "\n".join(f"step {number}, {line}: alpha{number * 7 + line} beta{number ^ line}" for line in range(lines))


def body(
    results: Iterable[str | list[str]], *, thought: str = "I look.", marked: tuple[int, ...] = (), **more: Any
) -> bytes:
    """Return an agent's request with these results; `marked` messages hold a cache marker, -1 the last one."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Find out why it fails. " * 400}]
    for number, result in enumerate(results):
        use = {"type": "tool_use", "id": f"t{number}", "name": "bash", "input": {"command": f"./step {number}"}}
        parts = result if isinstance(result, str) else [{"type": "text", "text": part} for part in result]
        answer = {"type": "tool_result", "tool_use_id": f"t{number}", "content": parts}
        messages.append({"role": "assistant", "content": [{"type": "text", "text": thought}, use]})
        messages.append({"role": "user", "content": [answer]})
    for index in marked:
        messages[index]["content"][-1].update(MARKER)
    return json.dumps({"model": "claude-sonnet-4-5", "max_tokens": 8, **more, "messages": messages}).encode()


def seen(raw: bytes) -> Look:
    return dialect(DialectName.ANTHROPIC).look(raw, want_spans=True, path=b"/v1/messages")


def sent(raw: bytes, settings: Settings = SETTINGS) -> Conversation:
    """Return what is remembered of a conversation whose last request this was."""
    return engine.compress(raw, seen(raw), None, settings).conversation


def decided(
    before: bytes, now: bytes, terms: CacheTerms = TERMS, *, masked: int = 0, idle_s: float = 1.0, long: bool = False
) -> Raise | None:
    last = sent(before, msgspec.structs.replace(SETTINGS, masked_spans=masked))
    look = seen(now)
    shared = last.shared(now, look)
    return masking.decide(now, look, last, shared, idle_s=idle_s, terms=terms, is_long_ttl=long)


def next_turn(turns: int, **more: Any) -> tuple[bytes, bytes]:
    """Return a conversation's request and the one before it."""
    results = [text(number) for number in range(turns)]
    return body(results[:-1], **more), body(results, **more)


def results_of(raw: bytes) -> list[int]:
    return [index for index, span in enumerate(seen(raw).spans) if span.kind is SpanKind.TOOL_RESULT]


@pytest.mark.parametrize(
    ("idle_s", "is_long", "expect"),
    [(1.0, False, False), (360.0, False, False), (360.1, False, True), (3_000.0, True, False), (3_660.1, True, True)],
)
def test_a_cold_cache_masks_everything_but_the_newest(idle_s: float, is_long: bool, expect: bool) -> None:
    before, now = next_turn(NEWEST + 3)
    due = decided(before, now, idle_s=idle_s, long=is_long)
    assert (due is not None) is expect
    if due is not None:
        assert (due.masked_spans, due.spans) == (results_of(now)[2] + 1, 3)
        assert due.tokens > 0


@pytest.mark.parametrize(
    ("turns", "thought", "terms", "expect"),
    [
        (80, "I look.", TERMS, True),
        (BATCH_CALLS + NEWEST - 1, "I look.", TERMS, False),
        (80, "I look, and think of 12 things. " * 300, TERMS, False),
        (80, "I look.", msgspec.structs.replace(TERMS, read=0.099), False),
        (80, "I look.", msgspec.structs.replace(TERMS, read=0.05), False),
        (80, "I look.", msgspec.structs.replace(TERMS, read=0.5), True),
        (BATCH_CALLS + NEWEST, "I look, and think of 12 things. " * 30, TERMS, False),
        (80, "I look, and think of 12 things. " * 30, TERMS, True),
        (BATCH_CALLS + NEWEST, "I look.", UNCACHED, True),
        (BATCH_CALLS + NEWEST - 1, "I look.", UNCACHED, False),
        (BATCH_CALLS + NEWEST, "I look, and think of 12 things. " * 300, UNCACHED, True),
        (80, "I look.", msgspec.structs.replace(TERMS, min_cacheable_tokens=30_000), False),
    ],
    ids=[
        "pays", "too few calls", "too much behind to write again", "read just too cheap", "read too cheap",
        "read dear", "too early", "later", "uncached", "uncached, too few calls", "uncached, much behind",
        "the rest would not be cached",
    ],
)  # fmt: skip
def test_a_warm_cache_is_broken_only_where_it_pays(turns: int, thought: str, terms: CacheTerms, expect: bool) -> None:
    before, now = next_turn(turns, thought=thought)
    assert (decided(before, now, terms) is not None) is expect


@pytest.mark.parametrize(("thought", "expect"), [("I look.", True), ("I look, and think. " * 1000, False)])
def test_what_is_worth_little_beside_the_bill_stays(thought: str, expect: bool) -> None:
    results = [text(0, 30), *("ok" for _ in range(BATCH_CALLS + NEWEST))]
    before, now = body(results[:-1], thought=thought), body(results, thought=thought)
    assert (decided(before, now, UNCACHED) is not None) is expect


def test_the_dearer_write_of_the_long_life_waits_longer() -> None:
    first = {}
    for long in (False, True):
        for turns in range(BATCH_CALLS + NEWEST, 110, 4):
            if decided(*next_turn(turns), long=long) is not None:
                first[long] = turns
                break
    assert first[False] < first[True]


@pytest.mark.parametrize("terms", [TERMS, UNCACHED], ids=["cached", "uncached"])
def test_h9_raises_come_in_batches_and_never_lower(terms: CacheTerms) -> None:
    last, level, raises = None, 0, list[tuple[int, Raise]]()
    results = [text(number) for number in range(140)]
    for turns in range(1, len(results)):
        now = body(results[:turns])
        look = seen(now)
        if last is not None:
            due = masking.decide(now, look, last, last.shared(now, look), idle_s=5.0, terms=terms)
            if due is not None:
                raises.append((turns, due))
                assert due.masked_spans > level
                level = due.masked_spans
        settings = msgspec.structs.replace(SETTINGS, masked_spans=level)
        last = engine.compress(now, look, last, settings).conversation
    assert len(raises) >= 2
    assert all(later - earlier >= BATCH_CALLS for (earlier, _), (later, _) in pairwise(raises))


def in_dialect(name: DialectName, turns: int) -> tuple[bytes, bytes]:
    """Return the path and body of an agent's request with so many calls, each answered."""
    items: list[dict[str, Any]] = []
    for number in range(turns):
        step, told, arguments = f"t{number}", text(number), {"command": f"./step {number}"}
        written = json.dumps(arguments)
        if name is DialectName.OPENAI_RESPONSES:
            items.append({"type": "function_call", "call_id": step, "name": "bash", "arguments": written})
            items.append({"type": "function_call_output", "call_id": step, "output": told})
        elif name is DialectName.GEMINI:
            items.append({"role": "model", "parts": [{"functionCall": {"name": "bash", "args": arguments}}]})
            answer = {"functionResponse": {"name": "bash", "response": {"output": told}}}
            items.append({"role": "user", "parts": [answer]})
        else:
            function = {"name": "bash", "arguments": arguments if name is DialectName.OLLAMA else written}
            items.append({"role": "assistant", "tool_calls": [{"id": step, "type": "function", "function": function}]})
            items.append({"role": "tool", "tool_call_id": step, "tool_name": "bash", "content": told})
    ask = "Find out why it fails. " * 400
    if name is DialectName.GEMINI:
        contents = [{"role": "user", "parts": [{"text": ask}]}, *items]
        return b"/v1beta/models/gemini-3:generateContent", json.dumps({"contents": contents}).encode()
    key = "input" if name is DialectName.OPENAI_RESPONSES else "messages"
    return b"/v1/x", json.dumps({"model": "m", key: [{"role": "user", "content": ask}, *items]}).encode()


@pytest.mark.parametrize("name", [name for name in DialectName if name not in ("other", "anthropic_messages")])
def test_calls_are_counted_on_every_wire(name: DialectName) -> None:
    for turns, expect in ((BATCH_CALLS + NEWEST - 1, False), (BATCH_CALLS + NEWEST, True)):
        (path, before), (_, now) = in_dialect(name, turns - 1), in_dialect(name, turns)
        looks = [dialect(name).look(raw, want_spans=True, path=path) for raw in (before, now)]
        last = engine.compress(before, looks[0], None, SETTINGS).conversation
        shared = last.shared(now, looks[1])
        due = masking.decide(now, looks[1], last, shared, idle_s=1, terms=UNCACHED)
        assert (due is not None) is expect
        assert due is None or due.spans == BATCH_CALLS


def test_calls_made_together_are_one_call() -> None:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Find out why it fails. " * 400}]
    for turn in range(12):
        ids = [f"t{turn}_{number}" for number in range(5)]
        uses = [{"type": "tool_use", "id": one, "name": "bash", "input": {"command": f"./step {one}"}} for one in ids]
        answers = [
            {"type": "tool_result", "tool_use_id": one, "content": text(turn * 9 + place)}
            for place, one in enumerate(ids)
        ]
        messages += [{"role": "assistant", "content": uses}, {"role": "user", "content": answers}]
    whole = {"model": "claude-sonnet-4-5", "max_tokens": 8}
    before, now = (json.dumps({**whole, "messages": messages[:end]}).encode() for end in (-2, None))
    assert decided(before, now, UNCACHED) is None, "60 results, 12 calls"
    assert decided(before, now, TERMS, idle_s=400) is not None


def test_short_protected_and_unnamed_results_stay() -> None:
    results: list[str | list[str]] = [text(number) for number in range(NEWEST + 6)]
    results[1] = "x" * (SHORTEST_BYTES - 3)
    results[2] = "y" * (SHORTEST_BYTES - 2)
    results[3] = "Read CLAUDE.md\n\n# CLAUDE.md\n" + text(3)
    before, now = body(results[:-1]), body(results)
    look = seen(now)
    spans = list(look.spans)
    protected, unnamed = results_of(now)[3], results_of(now)[4]
    spans[protected] = msgspec.structs.replace(spans[protected], is_protected=True)
    spans[unnamed] = msgspec.structs.replace(spans[unnamed], call=None)
    look = msgspec.structs.replace(look, spans=tuple(spans))
    last = engine.compress(before, msgspec.structs.replace(seen(before), spans=tuple(spans[:-1])), None, SETTINGS)
    due = masking.decide(now, look, last.conversation, len(spans) - 1, idle_s=400, terms=TERMS)
    assert due is not None
    after = engine.compress(now, look, None, msgspec.structs.replace(SETTINGS, masked_spans=due.masked_spans))
    masked = [index for index, verdict in enumerate(after.verdicts) if verdict.by == ("masking",)]
    assert masked == [results_of(now)[index] for index in (0, 2, 5)]
    assert due.spans == len(masked), "counted as the engine does it"


def test_what_is_said_to_be_saved_is_saved() -> None:
    results = [text(number) for number in range(60)]
    results[55] = results[5]  # sent as a pointer until its target goes
    before, now = body(results[:-1]), body(results)
    due = decided(before, now, idle_s=400)
    assert due is not None
    plain = engine.compress(now, seen(now), None, SETTINGS).verdicts
    masked = engine.compress(
        now, seen(now), None, msgspec.structs.replace(SETTINGS, masked_spans=due.masked_spans)
    ).verdicts
    saved = sum(verdict.tokens_after for verdict in plain) - sum(verdict.tokens_after for verdict in masked)
    assert 0.97 * saved <= due.tokens <= saved


def test_pointers_that_would_come_back_in_full_may_eat_up_the_gain() -> None:
    file = text(1, lines=300)
    results = [file if number in (0, 12, 13) else "ok " * 150 for number in range(14)]
    before, now = body(results[:-1]), body(results)
    assert decided(before, now, idle_s=400) is None


def test_nothing_masked_is_pointed_at() -> None:
    file = text(1, lines=100)
    results = [file, *(text(number) for number in range(2, 20)), file]
    raw = body(results)
    level = results_of(raw)[5]
    verdicts = engine.compress(raw, seen(raw), None, msgspec.structs.replace(SETTINGS, masked_spans=level)).verdicts
    assert verdicts[results_of(raw)[0]].by == ("masking",)
    assert verdicts[results_of(raw)[-1]].literal is None, "verbatim: its first showing is gone"
    told = verdicts[results_of(raw)[0]].literal
    assert told is not None
    words = msgspec.json.decode(told, type=str)
    assert words == '[old output of your earlier "./step 0" (bash) left out]'
    again = body([*results, f"{words}\n" * 12])
    last = engine.compress(again, seen(again), None, msgspec.structs.replace(SETTINGS, masked_spans=level)).verdicts[-1]
    assert "left out" in msgspec.json.decode(last.literal or b'"left out"', type=str)
    assert "wholes" not in last.by


def test_a_request_after_one_that_was_not_seen_raises_nothing() -> None:
    results = [text(number) for number in range(40)]
    now = body(results)
    assert decided(body(results[:-1]), now, idle_s=400) is not None
    assert decided(now, now, idle_s=400) is not None, "a client's second attempt"
    assert decided(body(results[:-2]), now, idle_s=400) is None, "another worker may have answered a moment ago"
    other = body(results, model="claude-opus-4-5")
    assert decided(body(results[:-1]), other, idle_s=400) is None


def test_a_level_is_raised_from_where_it_stands() -> None:
    before, now = next_turn(60)
    first = results_of(now)[20]
    due = decided(before, now, UNCACHED, masked=first)
    assert due is not None
    assert (due.masked_spans, due.spans) == (results_of(now)[49] + 1, 30)
    assert decided(before, now, UNCACHED, masked=results_of(now)[31]) is None, "19 calls since"
    assert decided(before, now, TERMS, masked=due.masked_spans, idle_s=400) is None


@pytest.mark.parametrize(
    ("marked", "expect"),
    [((-1,), False), ((2, -1), True)],
    ids=["none near: the whole list of messages is written again", "one behind the place"],
)
def test_where_markers_are_needed_the_list_is_lost_without_one_near(marked: tuple[int, ...], expect: bool) -> None:
    terms = msgspec.structs.replace(TERMS, needs_markers=True)
    results = ["short", *(text(number) for number in range(1, 60))]
    head = "Find out why it fails. " * 9000
    raw = []
    for end in (-1, None):
        document = json.loads(body(results[:end], marked=marked))
        document["messages"][0]["content"] = head
        raw.append(json.dumps(document).encode())
    assert (decided(raw[0], raw[1], terms) is not None) is expect
    assert decided(raw[0], raw[1], TERMS) is not None, "a cache that keeps every beginning"


def test_the_mask_holds_only_where_the_newest_stay() -> None:
    call = Call("bash", "ls")
    spans = [Span(number, number + 1, SpanKind.TOOL_RESULT, call) for number in range(NEWEST + 5)]
    assert [masking.standing(spans[:count], 5) for count in (0, 4, 14, 15)] == [0, 0, 0, 5]
    assert masking.standing(spans, 6) == 0
    assert masking.standing(spans, 0) == 0


def test_parts_of_one_result_count_once() -> None:
    results: list[str | list[str]] = [text(number) for number in range(NEWEST)]
    results[-1] = [text(100 + part) for part in range(6)]
    assert decided(body(results[:-1]), body(results), idle_s=400) is None
    results.insert(0, text(99))
    due = decided(body(results[:-1]), body(results), idle_s=400)
    assert due is not None
    assert due.spans == 1
