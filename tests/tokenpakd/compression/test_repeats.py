"""Exact repeats, and only those, become pointers."""

import json

import pytest

from tokenpakd.compression.repeats import MIN_CHARS, replacements
from tokenpakd.exchange.request import Call, Span, SpanKind

LONG = "0123456789\n" * 50


def _spans(
    *results: tuple[str | bytes, Call | None] | tuple[str | bytes, Call | None, bool],
) -> tuple[bytes, list[Span]]:
    body, spans = b"[", []
    for text, call, *whole in results:
        literal = text if isinstance(text, bytes) else json.dumps(text, ensure_ascii=False).encode()
        spans.append(Span(len(body), len(body) + len(literal), SpanKind.TOOL_RESULT, call, *whole))
        body += literal + b", "
    return body + b"null]", spans


def _pointers(*results: tuple[str | bytes, Call | None] | tuple[str | bytes, Call | None, bool]) -> dict[int, str]:
    body, spans = _spans(*results)
    places = {span.start: index for index, span in enumerate(spans)}
    return {places[change.start]: json.loads(change.literal) for change in replacements(body, spans)}


def test_repeat_points_at_the_first_by_its_call() -> None:
    assert _pointers(
        (LONG, Call("bash", "cat src/a.py")), ("x", Call("bash", "ls")), (LONG, Call("bash", "head a"))
    ) == {2: '[same output as your earlier "cat src/a.py" (bash), unchanged]'}


def test_third_points_at_the_first_with_its_number() -> None:
    call = [Call("bash", "cat a", ordinal) for ordinal in (1, 2, 3)]
    assert _pointers(*((LONG, one) for one in call)) == {
        1: '[same output as your earlier "cat a" (bash), unchanged]',
        2: '[same output as your 1st "cat a" (bash), unchanged]',
    }


def test_number_is_that_of_the_call_pointed_at() -> None:
    other = LONG.replace("0", "X")
    results = [(other, Call("bash", "cat a", 1)), (LONG, Call("bash", "cat a", 2)), (LONG, Call("bash", "cat b"))]
    assert _pointers(*results) == {2: '[same output as your 2nd "cat a" (bash), unchanged]'}


@pytest.mark.parametrize(
    ("ordinal", "said"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (22, "22nd"), (113, "113th")],
)
def test_call_without_label_is_named_by_tool_and_number(ordinal: int, said: str) -> None:
    first, second = Call("ls", "", ordinal), Call("ls", "", ordinal + 1)
    assert _pointers((LONG, first), (LONG, second)) == {1: f"[same output as your {said} ls call, unchanged]"}


def test_part_of_a_result_is_called_a_part() -> None:
    first, second = Call("read", "aa"), Call("read", "bb")
    said = '[same text as in the output of your earlier "aa" (read), unchanged]'
    assert _pointers((LONG, first, False), (LONG, second)) == {1: said}
    assert _pointers((LONG, first), (LONG, second, False)) == {1: said}


def test_result_does_not_point_at_itself() -> None:
    call = Call("read", "aa")
    assert _pointers((LONG, call, False), (LONG, call, False)) == {}


def test_result_without_a_call_is_neither_replaced_nor_pointed_at() -> None:
    first, second = Call("read", "aa"), Call("read", "bb")
    assert _pointers((LONG, None), (LONG, first), (LONG, None), (LONG, second)) == {
        3: '[same output as your earlier "aa" (read), unchanged]'
    }


def test_protected_result_is_neither_replaced_nor_pointed_at() -> None:
    protected = Call("read", "CLAUDE.md", 1, is_protected=True)
    first, second = Call("read", "aa"), Call("read", "bb")
    assert _pointers((LONG, protected), (LONG, first), (LONG, protected), (LONG, second)) == {
        3: '[same output as your earlier "aa" (read), unchanged]'
    }


@pytest.mark.parametrize(
    ("literal", "is_replaced"),
    [
        (json.dumps("x" * MIN_CHARS).encode(), True),
        (json.dumps("x" * (MIN_CHARS - 1)).encode(), False),
        (json.dumps("é" * (MIN_CHARS - 1)).encode(), False),
        (json.dumps("é" * MIN_CHARS).encode(), True),
        (json.dumps("é" * (MIN_CHARS - 1), ensure_ascii=False).encode(), False),
        (json.dumps("é" * MIN_CHARS, ensure_ascii=False).encode(), True),
        (json.dumps("😀" * (MIN_CHARS - 1)).encode(), False),
        (json.dumps("😀" * MIN_CHARS).encode(), True),
        (json.dumps("\n" * (MIN_CHARS - 1)).encode(), False),
        (b'"' + rb"\ud83d" * (MIN_CHARS + 1) + b'"', False),
        (b'"' + b"x" * 5_000 + rb"\ud83d" + b'"', True),
    ],
)
def test_short_results_stay(literal: bytes, *, is_replaced: bool) -> None:
    assert bool(_pointers((literal, Call("read", "aa")), (literal, Call("read", "bb")))) is is_replaced


def test_same_text_in_another_spelling_stays() -> None:
    text = LONG + "é"
    assert _pointers((json.dumps(text).encode(), Call("r", "aa")), (text, Call("r", "bb"))) == {}


def test_look_alikes_are_told_apart() -> None:
    texts = [f"{'a' * 500}{number:05}{'b' * 500}" for number in range(20)]
    results = [(text, Call("r", f"file {number}")) for number, text in enumerate(texts)]
    again = [(texts[number], Call("r", f"again {number}")) for number in (7, 0, 19)]
    assert _pointers(*results, *again) == {
        20 + place: f'[same output as your earlier "file {number}" (r), unchanged]'
        for place, number in enumerate((7, 0, 19))
    }


def test_label_is_quoted_as_the_model_wrote_it() -> None:
    [said] = _pointers((LONG, Call("bash", 'grep "é\x01" \\n')), (LONG, Call("bash", "y"))).values()
    assert said == '[same output as your earlier "grep "é\x01" \\n" (bash), unchanged]'


def test_pointer_longer_than_the_result_is_not_used() -> None:
    call = Call("\x01" * 100, "\x02" * 60)
    text = "x" * MIN_CHARS
    assert _pointers((text, call), (text, Call("r", "bb"))) == {}
    assert _pointers((text * 3, call), (text * 3, Call("r", "bb"))) != {}


def test_no_spans_no_replacements() -> None:
    assert replacements(b"{}", ()) == ()
