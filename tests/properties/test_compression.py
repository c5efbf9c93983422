"""What compression promises, for every wire format, whatever a conversation looks like."""

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tests.playbook.decoding import Undetermined, decoded
from tests.properties.conversations import (
    COMPACT,
    SHAPES,
    TURNS,
    WRITINGS,
    Turn,
    looked,
    outcome,
    sent,
    settings,
    written,
)
from tokenpakd.compression import engine, terminal
from tokenpakd.compression.conversation import Conversation
from tokenpakd.compression.memory import Memory
from tokenpakd.compression.segments import Segment
from tokenpakd.compression.splice import splice
from tokenpakd.exchange.request import DialectName, SpanKind
from tokenpakd.tip.modes import Mode
from tokenpakd.tokens.estimate import estimate

SHARED = Path(__file__).resolve().parents[3] / "shared"
Json = Any
EVERY = pytest.mark.parametrize("name", list(SHAPES))
MODES = (Mode.HYBRID, Mode.AGGRESSIVE)
LONG = "".join(f"line {number} of an output that is printed more than once\n" for number in range(60))


def _strings(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for element in value if isinstance(value, list) else value.values():
            yield from _strings(element)


def _shape(value: Json) -> Json:
    """Return a document without its texts: keys, order, numbers, ids' places."""
    if isinstance(value, str):
        return ""
    if isinstance(value, list):
        return [_shape(element) for element in value]
    return {key: _shape(element) for key, element in value.items()} if isinstance(value, dict) else value


def check(name: DialectName, body: bytes, mode: Mode = Mode.HYBRID) -> bytes:
    """Check everything that holds for one request; return what is sent."""
    made = outcome(name, body, how=settings(mode))
    out = splice(body, made.replacements)
    assert out == sent(name, bytes(bytearray(body)), how=settings(mode)), "deterministic"
    spans = looked(name, body).spans
    assert len(made.verdicts) == len(spans)
    position, taken = 0, 0
    by_start = {change.start: change for change in made.replacements}
    for span, verdict in zip(spans, made.verdicts, strict=True):
        change = by_start.pop(span.start, None)
        assert (change is None) == (verdict.literal is None) == (not verdict.by)
        if change is None:
            continue
        assert span.kind in (SpanKind.TOOL_RESULT, SpanKind.USER_TEXT), "the model's own words stay"
        assert not span.is_protected
        assert not (span.call is not None and span.call.is_protected)
        assert len(change.literal) < change.end - change.start, "never longer in bytes"
        old, new = json.loads(body[change.start : change.end]), json.loads(change.literal)
        assert estimate(new) < estimate(old), "nor in tokens"
        kept = body[position : change.start]
        assert out[taken : taken + len(kept)] == kept, "bytes between spans"
        position, taken = change.end, taken + len(kept) + len(change.literal)
    assert not by_start, "only spans are replaced"
    assert out[taken:] == body[position:], "bytes behind the spans"
    assert (out is body) == (not made.replacements)
    assert _shape(json.loads(body)) == _shape(json.loads(out)), "same document: calls and results still pair"
    return out


def _told(name: DialectName, body: bytes) -> list[str | None]:
    """Return what a reader makes of a request, as a terminal finally shows it."""
    told = decoded(body, looked(name, body).spans)
    return [None if text is None else terminal.render(text, Segment.LOG) for text in told]


@EVERY
@pytest.mark.parametrize("mode", MODES)
@examples(max_examples=30)
@given(turns=TURNS, how=st.sampled_from(WRITINGS))
def test_every_request_keeps_the_promises(
    name: DialectName, mode: Mode, turns: list[Turn], how: dict[str, Json]
) -> None:
    check(name, written(SHAPES[name](turns), how), mode)


@EVERY
@examples(max_examples=30)
@given(turns=TURNS)
def test_sending_what_was_sent_changes_nothing_that_matters(name: DialectName, turns: list[Turn]) -> None:
    """A reader makes of it what it made of the first: two of us in a row do no harm."""
    once = sent(name, written(SHAPES[name](turns)))
    twice = sent(name, once)
    assert len(twice) <= len(once)
    try:
        assert _told(name, twice) == _told(name, once)
    except Undetermined:  # the raw texts speak our notation themselves
        assert "[" in "".join(_strings(SHAPES[name](turns)))


@EVERY
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("least", [0, 200])
@examples(max_examples=30)
@given(turns=TURNS)
def test_longer_conversation_begins_with_the_bytes_of_the_shorter(
    name: DialectName, mode: Mode, least: int, turns: list[Turn]
) -> None:
    bodies = [written(SHAPES[name](turns[:count])) for count in range(len(turns) + 1)]
    how = settings(mode, least=least)
    known: Conversation | None = None
    before = b""
    for body in bodies:
        made = outcome(name, body, known, how)
        known = made.conversation
        out = splice(body, made.replacements)
        assert out.startswith(before[:-2])
        before = out
    if bodies:
        assert before == sent(name, bodies[-1], how=how), "what is remembered decides nothing"


_BRANCHES = st.lists(st.tuples(st.integers(0, 7), TURNS, st.booleans()), min_size=1, max_size=5)


@EVERY
@pytest.mark.parametrize("mode", MODES)
@examples(max_examples=15)
@given(turns=TURNS, branches=_BRANCHES, least=st.sampled_from((0, 0, 150)))
def test_edits_retries_and_branches_in_any_order_get_the_bytes_of_a_fresh_start(
    name: DialectName, mode: Mode, turns: list[Turn], branches: list[tuple[int, list[Turn], bool]], least: int
) -> None:
    how = settings(mode, least=least)
    known: Conversation | None = None
    memory = Memory()
    for kept, others, forgets in [(len(turns), [], False), *branches]:
        body = written(SHAPES[name]([*turns[:kept], *others]))
        fresh = sent(name, body, how=how)
        made = outcome(name, body, None if forgets else known, how)
        assert splice(body, made.replacements) == fresh
        known = made.conversation
        look = looked(name, body)
        taken, shared = memory.take("key", body, look)
        again = engine.compress(body, look, taken, how, shared=shared)
        assert splice(body, again.replacements) == fresh
        memory.keep("key", again.conversation)


def _repeats(files: Sequence[str] = ("aa", "bb")) -> list[Turn]:
    return [Turn("bash", {"command": f"cat {file}"}, LONG) for file in files]


@EVERY
def test_repeat_is_found_in_every_dialect(name: DialectName) -> None:
    body = written(SHAPES[name](_repeats()))
    out = check(name, body)
    assert '[same output as your earlier \\"cat aa\\" (bash), unchanged]' in out.decode()
    assert len(out) < len(body) - 1_000


@EVERY
def test_odd_turn_later_changes_nothing_before_it(name: DialectName) -> None:
    whole = SHAPES[name](_repeats(("aa", "bb", "cc")))
    out = sent(name, written(whole))
    for odd in ({"role": 7}, 3, "text", {"role": "user", "content": 5, "parts": "x"}):
        key = next(key for key in ("messages", "input", "contents") if key in whole)
        later = {**whole, key: [*whole[key], odd]}
        assert sent(name, written(later)).startswith(out[:-2])


def test_client_that_spells_a_turn_anew_gets_the_same_texts() -> None:
    turns = [Turn(*turn[:3], is_list=True) for turn in _repeats(("aa", "bb", "cc"))]
    first = SHAPES[DialectName.ANTHROPIC](turns)
    first["messages"][-1]["content"][0]["cache_control"] = {"type": "ephemeral"}
    again = SHAPES[DialectName.ANTHROPIC]([turn._replace(is_list=False) for turn in turns])
    once, twice = (
        [text for text in _strings(json.loads(sent(DialectName.ANTHROPIC, written(body, how)))) if text[:1] == "["]
        for body, how in ((first, WRITINGS[1]), (again, COMPACT))
    )
    assert once == twice
    assert len(once) == 2


def test_equal_keys_replace_the_last_or_nothing() -> None:
    long = json.dumps(LONG).encode()
    use = b'{"type":"tool_use","id":"%b","name":"bash","input":{"command":"cat %b"}}'
    result = b'{"type":"tool_result","tool_use_id":"%b","content":"shadowed","content":%b}'
    body = b'{"messages":[{"role":"assistant","content":[%b,%b]},{"role":"user","content":[%b,%b]}]}' % (
        *(use % (one, one) for one in (b"aa", b"bb")),
        *(result % (one, long) for one in (b"aa", b"bb")),
    )
    out = check(DialectName.ANTHROPIC, body)
    assert out.count(b'"shadowed"') == 2
    assert out.count(long) == 1
    assert json.loads(out)["messages"][1]["content"][1]["content"].startswith("[same output")


@pytest.mark.skipif(not (SHARED / "recorded").is_dir(), reason="no recordings beside this checkout (../shared)")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", list(DialectName))
def test_recorded_requests_keep_the_promises(name: DialectName, mode: Mode) -> None:
    count = 0
    for file in sorted((SHARED / "recorded").glob("*__*.json")):
        for request in json.loads(file.read_text(encoding="utf-8"))["requests"]:
            if isinstance(request.get("body"), dict):
                count += 1
                check(name, written(request["body"], {"ensure_ascii": bool(request["body_ascii_escaped"])}), mode)
    assert count > 100


@EVERY
def test_cost_is_told(name: DialectName) -> None:
    turns = [
        Turn("bash", {"command": f"cat src/{n % 60}.py"}, "".join(f"{n % 250} line {k}\n" for k in range(230)))
        for n in range(300)
    ]
    body = written(SHAPES[name](turns))
    look = looked(name, body)
    made = engine.compress(body, look, None, settings())
    longer = written(SHAPES[name]([*turns, Turn("bash", {"command": "ls"}, LONG)]))
    new_look = looked(name, longer)
    steps: dict[str, Callable[[], object]] = {
        "look": lambda: looked(name, body),
        "decide": lambda: engine.compress(body, look, None, settings()),
        "splice": lambda: splice(body, made.replacements),
        "replay with one more": lambda: engine.compress(longer, new_look, made.conversation, settings()),
    }
    told = [f"{len(body) / 1e6:.2f} MB", f"{len(look.spans)} spans", f"{len(made.replacements)} replaced"]
    for step, run in steps.items():
        times = []
        for _ in range(3):
            begun = time.perf_counter()
            run()
            times.append(time.perf_counter() - begun)
        told.append(f"{step} {statistics.median(times) * 1e3:.2f} ms")
        assert statistics.median(times) < 2
    sys.stdout.write(f"\n{name.value}: {', '.join(told)}\n")
    assert len(made.replacements) >= 50
