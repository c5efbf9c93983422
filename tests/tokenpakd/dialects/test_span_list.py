"""What becomes a span, and what is passed over."""

import msgspec
import pytest

from tokenpakd.dialects import span_list
from tokenpakd.dialects.span_index import SpanIndex
from tokenpakd.dialects.span_list import RESULT, USER, Found
from tokenpakd.exchange.request import Call, Span, SpanKind

Raw = msgspec.Raw
CALL = Call("read", "a.py")


def test_spans_are_sorted_and_foreign_values_passed_over() -> None:
    body = b'["one","two",3,"three"]'
    one, two, number, three = msgspec.json.decode(body, type=list[Raw])
    found: list[Found] = [(two, USER, None, True), (one, RESULT, CALL, False), (number, USER, None, True)]
    found.append((Raw(b'"two"'), RESULT, None, True))
    place = SpanIndex(body).literal(three)
    assert place is not None
    assert span_list.spans(SpanIndex(body), found, [place]) == (
        Span(1, 6, SpanKind.TOOL_RESULT, CALL, is_whole=False),
        Span(7, 12, SpanKind.USER_TEXT),
        Span(15, 22, SpanKind.USER_TEXT),
    )


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        (b'"x"', [(b'"x"', True)]),
        (b'[{"type":"text","text":"x"}]', [(b'"x"', True)]),
        (b'[{"type":"text","text":"x"},{"type":"other","text":"y"}]', [(b'"x"', False)]),
        (b'[{"type":"text","text":"x"},7]', []),
        (b"null", []),
        (b" ", []),
    ],
)
def test_texts_of_a_content(content: bytes, texts: list[tuple[bytes, bool]]) -> None:
    found: list[Found] = []
    span_list.add_texts(found, Raw(content), RESULT, CALL)
    assert [(bytes(raw), is_whole) for raw, _, _, is_whole in found] == texts


def _added(arguments: bytes, call: Call | None = CALL) -> list[tuple[SpanKind, bytes]]:
    found: list[Found] = []
    span_list.add_arguments(found, Raw(arguments), call)
    return [(kind, bytes(raw)) for raw, kind, _, _ in found]


def test_arguments_are_added_from_their_least_length_on() -> None:
    for size in (158, 157):
        literal = b'"%b"' % (b"x" * size)
        assert bool(_added(literal)) is (size == 158)
    for size in (78, 77):
        literal = b'"%b"' % (b"x" * size)
        for shape in (b'{"a":%b}', b'{"p":1,"a":[%b]}', b'{"a":{"b":%b}}', b'{"a":[{"b":%b}]}'):
            expected = [(SpanKind.TOOL_ARGUMENT, literal)] if size == 78 else []
            assert _added(shape % literal) == expected
        for deep in (b'{"a":[[%b]]}', b'{"a":{"b":[%b]}}', b'{"a":[{"b":[%b]}]}'):
            assert _added(deep % literal) == []
    assert _added(b'{"a":"%b"}' % (b"x" * 500), None) == []


def test_input_is_one_argument_from_its_least_length_on() -> None:
    found: list[Found] = []
    span_list.add_input(found, Raw(b'"%b"' % (b"x" * 157)), CALL)
    span_list.add_input(found, Raw(b'"%b"' % (b"x" * 500)), None)
    assert found == []
    span_list.add_input(found, Raw(b'"%b"' % (b"x" * 158)), CALL)
    assert [kind for _, kind, _, _ in found] == [SpanKind.TOOL_ARGUMENT]


def test_arguments_that_make_no_sense_are_passed_over() -> None:
    assert _added(b'{"a":"%b"' % (b"x" * 500)) == []
    assert _added(b'{"\xff":"%b"}' % (b"x" * 500)) == []
    assert _added(b'{"a":[{"\xff":"%b"}]}' % (b"x" * 500)) == []
