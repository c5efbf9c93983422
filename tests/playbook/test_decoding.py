"""Every lossless span of what is sent can be told back, and nothing but the sent request is needed for it."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given

from tests.playbook.decoding import decoded, is_told_back, speaks_notation
from tests.properties.conversations import SHAPES, TURNS, Turn, looked, outcome, written
from tokenpakd.compression.engine import Outcome
from tokenpakd.compression.splice import splice
from tokenpakd.dialects.registry import dialect
from tokenpakd.exchange.request import DialectName, Look
from tokenpakd.replay import conversation, shapes, transcripts

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
NEEDS_DATA = pytest.mark.skipif(not DATA.is_dir(), reason="no sample data beside this checkout (../shared)")
EVERY = pytest.mark.parametrize("name", list(SHAPES))


def check(body: bytes, seen: Look, made: Outcome, path: bytes) -> dict[str, int]:
    """Check that every span can be told back; return how many each compressor had a part in."""
    out = splice(body, made.replacements)
    sent_look = dialect(seen.dialect).look(out, want_spans=True, path=path)
    assert len(sent_look.spans) == len(seen.spans)
    told: dict[str, int] = {}
    for span, verdict, text in zip(seen.spans, made.verdicts, decoded(out, sent_look.spans), strict=True):
        if text is None:
            assert verdict.literal is None
            continue
        raw = json.loads(body[span.start : span.end])
        if verdict.literal is None:
            assert text == raw or speaks_notation(raw), verdict
        else:
            assert is_told_back(raw, span.call, verdict.by, text), (verdict, text)
        for one in verdict.by:
            told[one] = told.get(one, 0) + 1
    return told


@EVERY
@given(turns=TURNS)
def test_generated_conversations_are_told_back(name: DialectName, turns: list[Turn]) -> None:
    body = written(SHAPES[name](turns))
    check(body, looked(name, body), outcome(name, body), b"/v1beta/models/m:generateContent")


def _conversations() -> Iterator[conversation.Conversation]:
    for file in sorted(DATA.glob("*/*.json")):
        for found in transcripts.read(file.read_bytes(), file.stem):
            assert isinstance(found, conversation.Conversation)
            yield found


@NEEDS_DATA
@pytest.mark.parametrize("name", [DialectName.ANTHROPIC, DialectName.OPENAI_CHAT])
def test_real_conversations_are_told_back(name: DialectName) -> None:
    told: dict[str, int] = {}
    count = 0
    for each in _conversations():
        *_, last = shapes.requests(each, name)
        body, count = last.body, count + 1
        for one, times in check(body, looked(name, body), outcome(name, body), last.path).items():
            told[one] = told.get(one, 0) + times
    sys.stdout.write(f"\n{name.value}: {count} conversations, told back: {told}\n")
    assert count > 50
    assert told["lines"] > 100
