"""Keys of conversations, the pins that keep their modes, and who broke a prefix."""

import json
from typing import Any

import pytest

from tokenpakd.compression import engine
from tokenpakd.compression.conversation import Conversation, Settings
from tokenpakd.compression.ledger import (
    conversation_key,
    effective_mode,
    is_held_out,
    last_request,
    parse_mode,
    prefix_break,
)
from tokenpakd.compression.registry import set_name
from tokenpakd.dialects.registry import dialect
from tokenpakd.exchange.request import DialectName, Look
from tokenpakd.exchange.row import Pin
from tokenpakd.tip.modes import Mode

Json = Any

SALT = b"s" * 32


def _pin(conversation: str, mode: str = "hybrid", epoch: int = 0) -> Pin:
    return Pin(conversation=conversation, mode=mode, epoch=epoch, created_unix_ms=1)


def test_key_depends_on_every_part_and_the_salt() -> None:
    openings = [(b"a", b"b"), (b"ab",), (b"", b"ab"), (b"ab", b""), (b"a", b"b", b"")]
    keys = {conversation_key(opening, SALT) for opening in openings}
    assert len(keys) == len(openings)
    assert conversation_key((b"a", b"b"), SALT) == conversation_key((b"a", b"b"), SALT)
    assert conversation_key((b"a", b"b"), b"t" * 32) not in keys
    assert {len(key) for key in keys} == {32}
    assert all(int(key, 16) >= 0 for key in keys)


def test_salt_of_any_length_will_do() -> None:
    assert len({conversation_key((b"a",), b"s" * length) for length in (0, 1, 64, 65, 100)}) == 5


@pytest.mark.parametrize(
    ("header", "pinned", "daemon", "expected"),
    [
        (None, None, Mode.HYBRID, Mode.HYBRID),
        (None, "strict", Mode.HYBRID, Mode.STRICT),
        (Mode.AGGRESSIVE, "strict", Mode.HYBRID, Mode.AGGRESSIVE),
        (Mode.STRICT, None, Mode.HYBRID, Mode.STRICT),
        (None, "of a later version", Mode.AGGRESSIVE, Mode.AGGRESSIVE),
    ],
)
def test_header_before_pin_before_daemon(header: Mode | None, pinned: str | None, daemon: Mode, expected: Mode) -> None:
    pin = None if pinned is None else _pin("c", pinned)
    assert effective_mode(header, pin, daemon) is expected


def test_mode_is_read_without_regard_to_case_and_blanks() -> None:
    assert parse_mode(" Strict ") is Mode.STRICT
    assert parse_mode("") is None
    assert parse_mode("strict,hybrid") is None


TEXT = "\n".join(f"line {number} of a file that is read, word for word" for number in range(30))
IMAGE: dict[str, object] = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}


def _messages(*answers: object) -> list[Json]:
    messages: list[Json] = [{"role": "user", "content": [{"type": "text", "text": "go"}]}]
    for number, content in enumerate(answers):
        use = {"type": "tool_use", "id": f"t{number}", "name": "bash", "input": {"command": f"cat {number}"}}
        said = {"type": "text", "text": "I look at it."}
        messages += [
            {"role": "assistant", "content": [said, use]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"t{number}", "content": content}]},
        ]
    return messages


def _request(messages: list[Json], **changes: Json) -> dict[str, Json]:
    tools = [{"name": "bash", "input_schema": {"type": "object"}}]
    return {"model": "m", "system": "be brief", "tools": tools, "messages": messages, **changes}


def _cause(
    before: Json,
    now: Json,
    *,
    idle_s: float = 1,
    ttl_s: float = 300,
    mode: Mode = Mode.HYBRID,
    then: Mode | None = None,
) -> str | None:
    """Return who broke the prefix between two requests."""
    bodies = [json.dumps(document).encode() for document in (before, now)]
    looks = [dialect(DialectName.ANTHROPIC).look(body, want_spans=True, path=b"/v1/messages") for body in bodies]
    first, second = (Settings(compressors=set_name(each), min_cacheable_tokens=0) for each in (mode, then or mode))
    known = engine.compress(bodies[0], looks[0], None, first).conversation
    last, shared = last_request(known), known.shared(bodies[1], looks[1])
    verdicts = engine.compress(bodies[1], looks[1], known, second).verdicts
    return prefix_break(last, bodies[1], looks[1], verdicts=verdicts, shared=shared, idle_s=idle_s, ttl_s=ttl_s)


def _changed(messages: list[Json], place: int, **changes: Json) -> list[Json]:
    return [*messages[:place], {**messages[place], **changes}, *messages[place + 1 :]]


TWO = _messages(TEXT, TEXT)
MORE = [*TWO, *_messages("a", "b", "ok")[5:]]


def test_nothing_is_known_of_a_first_request() -> None:
    look = Look(dialect=DialectName.ANTHROPIC)
    assert prefix_break(None, b"{}", look, verdicts=(), shared=0, idle_s=0, ttl_s=0) is None
    assert last_request(None) is None
    assert last_request(Conversation(Settings(compressors="hybrid-1"))) is None


@pytest.mark.parametrize(
    ("now", "cause"),
    [
        (_request(MORE), "none"),
        (_request(TWO), "none"),
        (_request(MORE, model="n"), "model"),
        (_request(MORE, tools=[]), "tools"),
        (_request(MORE, tools=[{"name": "bash", "input_schema": {"type": "array"}}]), "tools"),
        (_request(MORE, system="be brief!"), "tools"),
        (_request(MORE, model="n", tools=[]), "model"),
        (_request(TWO[:-1]), "client"),
        (_request(TWO[2:]), "client"),
        (_request(_changed(MORE, 0, content="stop")), "client"),
        (_request(_changed(MORE, 2, content=[{**TWO[2]["content"][0], "content": "other"}])), "client"),
        (_request(_changed(MORE, 1, content=[{"type": "text", "text": "I saw it."}, TWO[1]["content"][1]])), "client"),
        (_request(_changed(MORE, 1, role="user")), "client"),
        (_request([*MORE[:2], {"role": "user", "content": "wait"}, *MORE[2:]]), "client"),
    ],
)
def test_a_break_is_named_by_who_made_it(now: Json, cause: str) -> None:
    assert _cause(_request(TWO), now) == cause


@pytest.mark.parametrize(
    "now",
    [
        _request(_changed(MORE, 0, content="go")),
        _request(_changed(MORE, 0, content=[{"type": "text", "text": "go", "cache_control": {"type": "ephemeral"}}])),
        _request(_changed(MORE, 2, content=[{"cache_control": {"type": "ephemeral"}, **TWO[2]["content"][0]}])),
        _request(_changed(MORE, 2, content=[{**TWO[2]["content"][0], "cache_control": {"type": "ephemeral"}}])),
        _request(_changed(MORE, 2, content=[{**TWO[2]["content"][0], "content": [{"type": "text", "text": TEXT}]}])),
        _request(MORE, system=[{"type": "text", "text": "be brief"}]),
        _request(MORE, system=[{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}]),
        _request(MORE, metadata={"user_id": "other"}, max_tokens=9),
    ],
)
def test_another_spelling_of_the_same_is_no_break(now: Json) -> None:
    assert _cause(_request(TWO), now) == "none"
    assert _cause(now, _request([*MORE, {"role": "assistant", "content": "done"}])) == "none"


def test_what_stands_behind_the_last_text_belongs_to_the_prefix() -> None:
    seen = _messages(TEXT, [IMAGE])
    later = [*seen, {"role": "assistant", "content": "I see."}, {"role": "user", "content": "and?"}]
    assert _cause(_request(seen), _request(later)) == "none"
    result = {**seen[4]["content"][0], "cache_control": {"type": "ephemeral"}}
    assert _cause(_request(_changed(seen, 4, content=[result])), _request(later)) == "none"
    other = {**seen[4]["content"][0], "content": [{**IMAGE, "source": "other"}]}
    assert _cause(_request(seen), _request(_changed(later, 4, content=[other]))) == "client"


def test_waiting_past_the_life_of_the_cache_is_no_ones_fault() -> None:
    assert _cause(_request(TWO), _request(MORE), idle_s=301) == "ttl"
    assert _cause(_request(TWO), _request(MORE), idle_s=300) == "none"
    assert _cause(_request(TWO), _request(TWO[:-1]), idle_s=301) == "client"


def test_a_conversation_pinned_anew_is_our_break() -> None:
    assert _cause(_request(TWO), _request(MORE), mode=Mode.HYBRID, then=Mode.STRICT) == "us"
    assert _cause(_request(TWO), _request(MORE), mode=Mode.HYBRID, then=Mode.HYBRID) == "none"


def test_the_share_that_is_held_out_is_about_what_was_asked_for() -> None:
    keys = [conversation_key((b"%d" % number,), SALT) for number in range(2_000)]
    assert not any(is_held_out(key, 0.0) for key in keys)
    assert all(is_held_out(key, 1.0) for key in keys)
    assert 150 < sum(is_held_out(key, 0.1) for key in keys) < 250
    assert {key for key in keys if is_held_out(key, 0.1)} <= {key for key in keys if is_held_out(key, 0.2)}
