"""Offsets are those of the literal meant, never of a twin."""

import msgspec

from tokenpakd.dialects.span_index import SpanIndex


def test_equal_literals_have_their_own_offsets() -> None:
    body = b'[ "same" ,\n"same","same"]'
    index = SpanIndex(body)
    places = [index.literal(raw) for raw in msgspec.json.decode(body, type=list[msgspec.Raw])]
    assert places == [(2, 8), (11, 17), (18, 24)]


def test_literal_inside_a_raw_inside_a_raw_is_found() -> None:
    body = b'{"a": {"b": {"c": "\\u00e9\xc3\xa9"}}}'
    inner = msgspec.json.decode(body, type=dict[str, msgspec.Raw])["a"]
    inner = msgspec.json.decode(inner, type=dict[str, msgspec.Raw])["b"]
    literal = msgspec.json.decode(inner, type=dict[str, msgspec.Raw])["c"]
    place = SpanIndex(body).literal(literal)
    assert place is not None
    assert body[place[0] : place[1]] == b'"\\u00e9\xc3\xa9"'


def test_literal_of_another_body_is_refused() -> None:
    body, twin = b'["text"]', bytearray(b'["text"]')
    [raw] = msgspec.json.decode(bytes(twin), type=list[msgspec.Raw])
    assert SpanIndex(body).literal(raw) is None
    assert SpanIndex(body).literal(msgspec.Raw(b'"text"')) is None


def test_value_that_is_no_string_is_refused() -> None:
    body = b'[1, {"a": 2}, [3], null, ""]'
    index = SpanIndex(body)
    places = [index.literal(raw) for raw in msgspec.json.decode(body, type=list[msgspec.Raw])]
    assert places == [None, None, None, None, (25, 27)]


def test_very_long_literal_is_found() -> None:
    body = b'["' + b"x" * 300_000 + b'","' + b"x" * 300_000 + b'"]'
    index = SpanIndex(body)
    places = [index.literal(raw) for raw in msgspec.json.decode(body, type=list[msgspec.Raw])]
    assert places == [(1, 300_003), (300_004, 600_006)]


def test_value_of_any_kind_is_found() -> None:
    body = b'{"a" : [1, {}] ,"b":{"c":null}, "d":"x", "e":-1.5e3}'
    index = SpanIndex(body)
    values = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    places = [index.value(raw) for raw in values.values()]
    assert [body[place[0] : place[1]] for place in places if place] == [b"[1, {}]", b'{"c":null}', b'"x"', b"-1.5e3"]
    assert index.value(msgspec.Raw(b"[1, {}]")) is None
    assert SpanIndex(b"{}").value(values["a"]) is None
