"""A look never raises."""

import msgspec
import pytest

from tokenpakd.dialects import glance
from tokenpakd.exchange.request import DialectName, Look

NOTHING = Look(dialect=DialectName.OTHER)


def _fail(error: Exception) -> Look:
    raise error


@pytest.mark.parametrize(
    "error", [ValueError("x"), RecursionError("x"), MemoryError("x"), msgspec.ValidationError("x"), LookupError("x")]
)
def test_model_and_stream_are_read_where_the_rest_is_not(error: Exception) -> None:
    body = b'{"model":"m","stream":true,"messages":"no list"}'
    seen = glance.guarded(body, lambda _: _fail(error), otherwise=NOTHING)
    assert (seen.model, seen.is_stream, seen.note) == ("m", True, "unexpected shape")


@pytest.mark.parametrize(
    ("body", "note"),
    [
        (b"", "no readable JSON object"),
        (b'{"model":"m"', "no readable JSON object"),
        (b"[1]", "no readable JSON object"),
        (b'\xef\xbb\xbf{"model":"m"}', "no readable JSON object"),
        (b'{"a":' * 5_000_000, "nested too deeply"),
    ],
)
def test_note_says_why_nothing_was_seen(body: bytes, note: str) -> None:
    seen = glance.guarded(body, lambda _: _fail(ValueError("x")), otherwise=NOTHING)
    assert seen == msgspec.structs.replace(NOTHING, note=note)


@pytest.mark.parametrize(
    ("written", "given"),
    [
        (rb'"\ud83d"', rb'"\ufffd"'),
        (rb'"\uDE00 \ud83d\ude00 \uD83D"', rb'"\ufffd \ud83d\ude00 \ufffd"'),
        (rb'"\\ud83d \ud83d\n"', rb'"\\ud83d \ufffd\n"'),
        (rb'"\ud83d\ud83d\ude00"', rb'"\ufffd\ud83d\ude00"'),
        (rb'"\\ud83d\ude00"', rb'"\\ud83d\ufffd"'),
        (rb'"\\\ud83d\ude00 \ude00"', rb'"\\\ud83d\ude00 \ufffd"'),
    ],
)
def test_half_a_surrogate_pair_is_looked_past(written: bytes, given: bytes) -> None:
    def full(body: bytes) -> Look:
        msgspec.json.decode(body)
        assert body == given
        return NOTHING

    assert len(written) == len(given)
    assert glance.guarded(written, full, otherwise=Look(dialect=DialectName.GEMINI)) is NOTHING


def test_odd_row_is_left_out_alone() -> None:
    raws = [msgspec.Raw(text) for text in (b"1", b'"x"', b"3", b"[")]
    assert glance.rows(msgspec.json.Decoder(int), raws, -1) == [1, -1, 3, -1]


def test_list_with_an_odd_element_is_none() -> None:
    decoder = msgspec.json.Decoder(list[int])
    assert glance.listed(decoder, msgspec.Raw(b"[1,2]")) == [1, 2]
    assert glance.listed(decoder, msgspec.Raw(b'[1,"2"]')) == []
    assert glance.listed(decoder, msgspec.Raw(b" ")) == []


def test_flag_is_a_json_boolean_only() -> None:
    assert glance.flag(msgspec.Raw(b"true"))
    assert not glance.flag(msgspec.Raw(b"false"), default=True)
    assert glance.flag(msgspec.Raw(b'"false"'), default=True)
    assert not glance.flag(msgspec.Raw(b"1"))
