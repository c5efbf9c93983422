"""What runs in which mode."""

import json

import pytest

from tokenpakd.compression.registry import compressors, replacements, saved_tokens
from tokenpakd.compression.splice import splice
from tokenpakd.exchange.request import Call, Span, SpanKind
from tokenpakd.tip.modes import Mode

LITERAL = json.dumps("some line of output\n" * 60).encode()
BODY = b"[" + LITERAL + b"," + LITERAL + b"]"
SPANS = (
    Span(1, 1 + len(LITERAL), SpanKind.TOOL_RESULT, Call("bash", "cat a")),
    Span(2 + len(LITERAL), 2 + 2 * len(LITERAL), SpanKind.TOOL_RESULT, Call("bash", "cat b")),
)


def test_strict_runs_nothing() -> None:
    assert compressors(Mode.STRICT) == ()
    assert replacements(Mode.STRICT, BODY, SPANS) == ()
    assert splice(BODY, replacements(Mode.STRICT, BODY, SPANS)) is BODY


@pytest.mark.parametrize("mode", [Mode.HYBRID, Mode.AGGRESSIVE])
def test_repeats_go_in_the_other_modes(mode: Mode) -> None:
    assert [compressor.name for compressor in compressors(mode)] == ["repeats"]
    changes = replacements(mode, BODY, SPANS)
    assert json.loads(splice(BODY, changes))[1] == '[same output as your earlier "cat a" (bash), unchanged]'
    assert 200 < saved_tokens(BODY, changes) < len(LITERAL) / 2


def test_every_mode_has_its_list() -> None:
    assert all(isinstance(compressors(mode), tuple) for mode in Mode)


def test_nothing_replaced_saves_nothing() -> None:
    assert saved_tokens(BODY, ()) == 0
