"""Whole transcripts, replayed."""

import json

import pytest

from tests.tokenpakd.replay.samples import anthropic, chat, encoded, lines, tau
from tokenpakd.exchange.request import DialectName
from tokenpakd.replay.conversation import Conversation
from tokenpakd.replay.measure import measure, own_dialect, requests
from tokenpakd.replay.run import Settings
from tokenpakd.replay.transcripts import read
from tokenpakd.tip.modes import Mode
from tokenpakd.tokens.estimate import estimate

HYBRID = Settings(mode=Mode.HYBRID)


@pytest.mark.parametrize("data", [encoded(chat()), encoded(tau()), encoded(anthropic())])
@pytest.mark.parametrize("wire", [DialectName.OPENAI_CHAT, DialectName.ANTHROPIC])
def test_hybrid_saves_breaks_nothing_and_loses_nothing(data: bytes, wire: DialectName) -> None:
    found = measure(read(data, "x"), HYBRID, estimate, dialect=wire)
    for one in found:
        raw, sent = one.arms.tokens()
        assert sent < raw - 1000
        assert one.replaced >= 1
        assert not one.prefixes.breaks
        assert one.recall.recall.answers == one.requests
        assert one.recall.recall.lossy_answers == 0


def test_strict_changes_nothing() -> None:
    (found,) = measure(read(encoded(chat()), "x"), Settings(mode=Mode.STRICT), estimate)
    raw, sent = found.arms.tokens()
    assert raw == sent > 0


def test_recorded_bodies_are_sent_on_their_own_wire_and_seen_in_order() -> None:
    (sample,) = read(encoded(chat()), "x")
    made = [one.body for one in requests(sample, DialectName.ANTHROPIC)]
    sent: list[bytes] = []
    (found,) = measure(read(b"\n".join(made), "x"), HYBRID, estimate, on_sent=sent.append)
    assert (found.requests, len(sent)) == (3, 3)
    assert json.loads(sent[2])["messages"][0] == json.loads(made[2])["messages"][0]
    assert len(sent[2]) < len(made[2])


@pytest.mark.parametrize(
    ("source", "model", "wire"),
    [
        (chat(), None, DialectName.OPENAI_CHAT),
        (chat(), "claude-opus-5-5", DialectName.ANTHROPIC),
        (anthropic(), None, DialectName.ANTHROPIC),
        (anthropic(), "gpt-5", DialectName.OPENAI_CHAT),
    ],
)
def test_a_conversation_goes_over_the_wire_of_its_model(
    source: dict[str, object], model: str | None, wire: DialectName
) -> None:
    (sample,) = read(encoded(source), "x")
    assert isinstance(sample, Conversation)
    assert own_dialect(sample, model) is wire


def test_what_nobody_asked_is_left_out() -> None:
    silent = {"messages": [{"role": "assistant", "content": "hello"}]}
    assert measure(read(lines([silent]), "x"), HYBRID, estimate) == []
