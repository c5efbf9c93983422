"""Strict keeps the object; any failure keeps the original."""

import json

import msgspec
import pytest

from tests.tokenpakd.dataplane.fakes import plan, snapshot
from tokenpakd.compression import engine, splice
from tokenpakd.compression.conversation import Conversation
from tokenpakd.config import cache_terms
from tokenpakd.dataplane.plan import Plan
from tokenpakd.dataplane.stages import compress, parse
from tokenpakd.dataplane.stages.compress import Known
from tokenpakd.exchange.request import Span, SpanKind
from tokenpakd.tip.modes import Mode

TERMS = cache_terms.load()
TEXT = "\n".join(f"line {number} of a file that is read twice, word for word" for number in range(80))


def twice() -> bytes:
    """Return a conversation that reads one file two times, long enough to be cached."""
    messages: list[dict[str, object]] = [{"role": "user", "content": "read it. " * 1000}]
    for turn in ("t1", "t2"):
        use = {"type": "tool_use", "id": turn, "name": "Read", "input": {"file_path": "a.txt"}}
        result = {"type": "tool_result", "tool_use_id": turn, "content": TEXT}
        messages += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    return json.dumps(
        {"model": "claude-sonnet-4-5", "cache_control": {"type": "ephemeral"}, "messages": messages}
    ).encode()


def looked(mode: Mode, body: bytes, target: bytes = b"/v1/messages") -> Plan:
    given = plan(body=body, target=target, snapshot=snapshot(mode=mode))
    return parse.look(given, lambda conversation, epoch: None, TERMS.terms_for)[0]


def compressed(given: Plan, known: Known = Known()) -> tuple[Plan, str, Conversation | None]:  # noqa: B008 - frozen
    settings = compress.settings_of(given)
    assert settings is not None
    return compress.apply(given, settings, known, TERMS.terms_for(given.look.model, given.endpoint.dialect))


def test_strict_and_token_counts_are_left_alone() -> None:
    assert compress.settings_of(looked(Mode.STRICT, twice())) is None
    given = looked(Mode.HYBRID, twice(), b"/v1/messages/count_tokens")
    assert compress.settings_of(given) is None
    assert compress.settings_of(msgspec.structs.replace(given, body=None)) is None


@pytest.mark.parametrize("mode", [Mode.HYBRID, Mode.AGGRESSIVE])
def test_what_is_there_already_is_sent_once(mode: Mode) -> None:
    after, said, conversation = compressed(looked(mode, twice()))
    assert after.body is not None
    assert len(after.body) < len(twice())
    assert after.received == twice()
    assert after.spans_replaced == 1
    assert after.saved_tokens > 0
    assert said == f"1 spans, {after.saved_tokens} tokens"
    assert json.loads(after.body)["messages"][2]["content"][0]["content"] == TEXT, "once, verbatim"
    assert conversation is not None
    assert (after.prefix_break, after.known_spans, after.removed_known_tokens) == (None, 0, 0)
    assert [note.by for note in after.span_notes] == ["", "", "wholes"]


def test_the_next_request_is_replayed_and_priced_against_the_cache() -> None:
    _, _, conversation = compressed(looked(Mode.HYBRID, twice()))
    assert conversation is not None
    longer = json.loads(twice())
    longer["messages"] += [{"role": "assistant", "content": "thanks"}, {"role": "user", "content": "next"}]
    given = looked(Mode.HYBRID, json.dumps(longer).encode())
    assert given.body is not None
    first, _, _ = compressed(given)
    after, _, _ = compressed(given, Known(conversation, conversation.shared(given.body, given.look)))
    assert after.body == first.body, "memory decides nothing"
    assert (after.prefix_break, after.known_spans, after.known_replaced) == ("none", 3, 1)
    assert after.removed_known_tokens == after.saved_tokens > 0
    assert first.saved_milli_units is not None
    assert after.saved_milli_units is not None
    assert 0 <= after.saved_milli_units < first.saved_milli_units, "what the provider reads from its cache is cheap"


def test_nothing_to_do_keeps_the_object() -> None:
    plain = looked(Mode.HYBRID, b'{"model":"m","messages":[{"role":"user","content":"hi"}]}')
    assert compressed(plain)[0].body is plain.body


@pytest.mark.parametrize(
    "found",
    [
        None,
        [splice.Replacement(0, 10**9, b'""')],
        [splice.Replacement(10, 20, b'""'), splice.Replacement(15, 25, b'""')],
        [splice.Replacement(0, 2, b'"')],
    ],
    ids=["raises", "out of bounds", "overlap", "no literal"],
)
def test_an_engine_at_fault_keeps_the_original(
    monkeypatch: pytest.MonkeyPatch, found: list[splice.Replacement] | None
) -> None:
    real = engine.compress

    def broken(*arguments: object, **options: object) -> engine.Outcome:
        if found is None:
            raise ValueError("of ours")
        outcome = real(*arguments, **options)  # type: ignore[arg-type]
        return msgspec.structs.replace(outcome, replacements=tuple(found))

    monkeypatch.setattr(engine, "compress", broken)
    given = looked(Mode.HYBRID, twice())
    after, said, conversation = compressed(given)
    assert after is given
    assert conversation is None
    assert said.startswith("kept the original")


def test_spans_out_of_bounds_keep_the_original() -> None:
    given = looked(Mode.HYBRID, twice())
    spans = (Span(0, 10**9, SpanKind.TOOL_RESULT), Span(5, 1, SpanKind.TOOL_RESULT))
    given = msgspec.structs.replace(given, look=msgspec.structs.replace(given.look, spans=spans))
    assert compressed(given)[0].body is given.body
