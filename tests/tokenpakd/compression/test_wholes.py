"""Outputs that stand whole above already."""

from tokenpakd.compression.wholes import WholeIndex
from tokenpakd.exchange.request import Call, Span, SpanKind

LONG = "an output that is long enough to be pointed at\n" * 4


def _span(label: str, ordinal: int = 1, name: str = "bash", *, is_whole: bool = True) -> Span:
    return Span(0, 2, SpanKind.TOOL_RESULT, Call(name, label, ordinal), is_whole)


def _seen(*spans: Span, text: str = LONG) -> WholeIndex:
    index = WholeIndex()
    for span in spans:
        index.answered(span)
        index.learn(text, span)
    return index


def test_the_first_one_is_named() -> None:
    index = _seen(_span("cat a"), _span("cat b"))
    assert index.pointer(LONG, _span("cat c")) == '[same output as your earlier "cat a" (bash), unchanged]'
    assert index.pointer(LONG + "x", _span("cat c")) is None


def test_a_call_that_comes_again_is_told_by_its_number() -> None:
    index = WholeIndex()
    for ordinal, text in ((1, "other " * 30), (2, LONG)):
        index.answered(_span("cat a", ordinal))
        index.learn(text, _span("cat a", ordinal))
    assert index.pointer(LONG, _span("cat b")) == '[same output as your 2nd "cat a" (bash), unchanged]'


def test_the_short_the_nameless_and_the_same_call_are_left_alone() -> None:
    index = _seen(_span("cat a"), text="short")
    assert index.pointer("short", _span("cat b")) is None
    assert _seen(_span("cat a")).pointer(LONG, _span("cat a")) is None
    nameless = Span(0, 2, SpanKind.TOOL_RESULT)
    assert _seen(nameless).pointer(LONG, _span("cat b")) is None
    assert _seen(_span("cat a")).pointer(LONG, nameless) is not None


def test_one_of_several_texts_of_a_result_is_not_pointed_at() -> None:
    """Nobody could say which of them is meant."""
    assert _seen(_span("cat a", is_whole=False)).pointer(LONG, _span("cat b")) is None
    said = _seen(_span("cat a")).pointer(LONG, _span("cat b", is_whole=False))
    assert said == '[same text as in the output of your earlier "cat a" (bash), unchanged]'


def test_a_name_as_long_as_the_output_gains_nothing() -> None:
    text = "x" * 81
    assert _seen(_span("y" * 60, name="z" * 64), text=text).pointer(text, _span("cat b")) is None


def test_rolled_back_it_has_forgotten() -> None:
    index = _seen(_span("cat a"))
    mark = index.mark()
    other = LONG.replace("output", "answer")
    for ordinal, text in ((2, other), (3, LONG)):
        index.answered(_span("cat a", ordinal))
        index.learn(text, _span("cat a", ordinal))
    assert index.pointer(LONG, _span("cat b")) == '[same output as your 1st "cat a" (bash), unchanged]'
    index.rollback(mark)
    assert index.mark() == mark
    assert index.pointer(other, _span("cat b")) is None
    assert index.pointer(LONG, _span("cat b")) == '[same output as your earlier "cat a" (bash), unchanged]'
