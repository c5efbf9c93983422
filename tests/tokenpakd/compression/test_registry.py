"""What runs in which mode."""

import json

import pytest

from tokenpakd.compression.registry import Loss, compressors
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


@pytest.mark.parametrize("mode", [Mode.HYBRID, Mode.AGGRESSIVE])
def test_repeats_go_in_the_other_modes(mode: Mode) -> None:
    [repeats] = compressors(mode)
    assert (repeats.name, repeats.loss, repeats.reads) == ("repeats", Loss.REDUNDANT, {SpanKind.TOOL_RESULT})
    sent = splice(BODY, repeats.replacements(BODY, SPANS))
    assert json.loads(sent)[1] == '[same output as your earlier "cat a" (bash), unchanged]'


def test_every_mode_has_its_list() -> None:
    assert all(isinstance(compressors(mode), tuple) for mode in Mode)
