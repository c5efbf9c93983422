"""The same text is the same, the other is another."""

import msgspec
import pytest

from tokenpakd.dialects import canonical
from tokenpakd.exchange.request import DialectName

Raw = msgspec.Raw


def _content(text: bytes) -> bytes:
    return canonical.content(Raw(text))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'"caf\xc3\xa9 \xf0\x9f\x98\x80"', rb'"caf\u00e9 \ud83d\ude00"'),
        (rb'"a\/b\n"', rb'"a/b\u000a"'),
        (b'"hi"', b'[{"type":"text","text":"hi"}]'),
        (b'"hi"', b'[ {"cache_control":{"type":"ephemeral"}, "text" : "hi", "type":"text", "id":"7"} ]'),
        (
            b'[{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{}}]',
            b'[{"type":"text","text":"a"},{"type":"text","text":"b"}]',
        ),
    ],
)
def test_same_text_in_another_spelling_is_the_same(one: bytes, other: bytes) -> None:
    assert _content(one) == _content(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'"a"', b'"b"'),
        (b'[{"type":"text","text":"ab"}]', b'[{"type":"text","text":"a"},{"type":"text","text":"b"}]'),
        (b'[{"type":"image","source":{"data":"AAAA"}}]', b'[{"type":"image","source":{"data":"AAAB"}}]'),
        (b'[{"type":"input_image","image_url":"u1"}]', b'[{"type":"input_image","image_url":"u2"}]'),
        (b'"' + b"x" * 70_000 + b'"', b'"' + b"x" * 70_001 + b'"'),
        (b'"' + b"x" * 70_000 + b'a"', b'"' + b"x" * 70_000 + b'b"'),
    ],
)
def test_another_text_is_another(one: bytes, other: bytes) -> None:
    assert _content(one) != _content(other)


@pytest.mark.parametrize("odd", [b"null", b"7", b'{"a":1}', b"[1]", b'[{"type":7}]', b'["a"]', b"[", b'"\\', b" "])
def test_odd_content_is_read_as_nothing(odd: bytes) -> None:
    assert canonical.text(Raw(b"7")) == b""
    assert isinstance(canonical.content(Raw(odd)), bytes)


def test_text_that_is_not_utf8_keeps_its_bytes() -> None:
    assert canonical.text(Raw(b'"\xff\\n"')) == b"\xff\\n"


def test_long_text_is_held_by_both_ends_and_length() -> None:
    assert len(canonical.content(Raw(b'"' + b"x" * 10_000_000 + b'"'))) < 70_000


def test_no_user_no_opening() -> None:
    assert canonical.opening(DialectName.OLLAMA, [b"told"], None) == ()


def test_name_is_text_or_nothing() -> None:
    assert canonical.name(Raw(rb'"gpt-\u0034"')) == "gpt-4"
    assert canonical.name(Raw(b"12")) is None
    assert canonical.name(canonical.NOTHING) is None
    assert canonical.name(Raw(b'"' + b"m" * 5_000_000 + b'"')) == "m" * 256, "it is written to row, log and metrics"
