"""Requests through the engine, as the data plane sends them."""

import pytest

from tests.tokenpakd.replay.samples import chat, encoded
from tokenpakd.exchange.request import DialectName
from tokenpakd.replay.conversation import Conversation
from tokenpakd.replay.prefixes import PrefixWatch
from tokenpakd.replay.run import Settings, steps
from tokenpakd.replay.shapes import requests
from tokenpakd.replay.transcripts import read
from tokenpakd.tip.modes import Mode

(SAMPLE,) = read(encoded(chat()), "sample")
WIRES = (DialectName.OPENAI_CHAT, DialectName.ANTHROPIC)


def _requests(wire: DialectName) -> list[bytes]:
    assert isinstance(SAMPLE, Conversation)
    return [one.body for one in requests(SAMPLE, wire)]


def _sent(wire: DialectName, settings: Settings) -> list[bytes]:
    assert isinstance(SAMPLE, Conversation)
    return [step.sent for step in steps(requests(SAMPLE, wire), settings)]


def test_strict_sends_the_same_object() -> None:
    assert isinstance(SAMPLE, Conversation)
    made = list(requests(SAMPLE, DialectName.ANTHROPIC))
    assert all(step.sent is step.request.body for step in steps(made, Settings(mode=Mode.STRICT)))


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("mode", [Mode.HYBRID, Mode.AGGRESSIVE])
def test_a_second_reading_is_sent_shorter_and_no_prefix_breaks(wire: DialectName, mode: Mode) -> None:
    raw, sent = _requests(wire), _sent(wire, Settings(mode=mode))
    assert sent[:2] == raw[:2] or mode is Mode.AGGRESSIVE
    assert len(sent[2]) < len(raw[2]) - 2000
    watch = PrefixWatch()
    for before, after in zip(raw, sent, strict=True):
        watch.see(before, after)
    assert (watch.pairs, watch.breaks) == (2, [])


@pytest.mark.parametrize("wire", WIRES)
def test_a_restart_sends_the_same_bytes(wire: DialectName) -> None:
    settings = Settings(mode=Mode.HYBRID)
    for every in (1, 2, 3):
        assert _sent(wire, Settings(mode=Mode.HYBRID, restart_every=every)) == _sent(wire, settings)


def test_memory_is_carried_along_and_a_restart_forgets_it() -> None:
    assert isinstance(SAMPLE, Conversation)
    made = list(requests(SAMPLE, DialectName.ANTHROPIC))
    known = [step.known_spans for step in steps(made, Settings(mode=Mode.HYBRID))]
    assert known[0] == 0
    assert known[2] > known[1] >= 0
    forgot = [step.known_spans for step in steps(made, Settings(mode=Mode.HYBRID, restart_every=1))]
    assert forgot == [0, 0, 0]


def test_a_prompt_too_short_to_be_cached_is_left_alone() -> None:
    wire = DialectName.ANTHROPIC
    assert _sent(wire, Settings(mode=Mode.HYBRID, min_cacheable_tokens=100_000)) == _requests(wire)
