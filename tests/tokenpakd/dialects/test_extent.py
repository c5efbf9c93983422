"""The place of the list of messages is exact, whatever stands around and in between."""

import msgspec
import pytest

from tokenpakd.dialects import extent
from tokenpakd.dialects.span_index import SpanIndex

Raw = msgspec.Raw


def _messages(body: bytes, *, is_helped: bool = True) -> bytes:
    top = msgspec.json.decode(body, type=dict[str, Raw])
    listed = msgspec.json.decode(top["messages"], type=list[Raw])
    # From the body itself: what was decoded from a Raw of it is a view of it, too.
    inside = []
    for raw in listed:
        message = msgspec.json.decode(raw, type=dict[str, Raw] | int)
        inside.append(message.get("role", Raw(b" ")) if isinstance(message, dict) and is_helped else Raw(b" "))
    beside = [value for key, value in top.items() if key not in ("messages", "unknown")] if is_helped else []
    start, end = extent.messages(SpanIndex(body), "messages", beside, inside)
    return body[start:end]


@pytest.mark.parametrize("is_helped", [True, False])
@pytest.mark.parametrize(
    ("before", "listed", "after"),
    [
        (b"", b'[{"role":"user"}]', b""),
        (b'"model":"m",', b'[{"role":"user","content":"]}"}]', b',"tools":[{"messages":[]}]'),
        (
            b'"a":1, "unknown":{"messages":[{"role":"x"}]} ,',
            b'[ {"content":"[", "role":"u"} , {"role":"v"} ]',
            b' ,"z":"]"',
        ),
        (b'"model":"m","unknown":["]"],', b'[7,{"x":[1],"role":"u","y":{"role":"w"}},{"x":"\\"]"}]', b',"unknown":[]'),
        (b'"":0,"messages":[{"role":"first"}],"b":2,', b'[{"role":"last"}]', b',"":0,"c":[]'),
        (b'"tools":"t",', b"[{},{}]", b""),
    ],
)
def test_place_is_exact(before: bytes, listed: bytes, after: bytes, *, is_helped: bool) -> None:
    body = b'{%b"messages" : %b%b}' % (before, listed, after)
    assert _messages(body, is_helped=is_helped) == listed


def test_empty_or_absent_list_stands_nowhere() -> None:
    body = b'{"messages":[]}'
    assert extent.messages(SpanIndex(body), "messages", [], []) == (0, 0)
    assert extent.messages(SpanIndex(body), "input", [], [Raw(b" ")]) == (0, 0)
    assert extent.messages(SpanIndex(b"{"), "messages", [], [Raw(b" ")]) == (0, 0)


def test_frame_holds_what_says_something_in_order() -> None:
    body = b'{"tools":[1],"system":"s","empty":null,"n":1,"o":{"a":2}}'
    top = msgspec.json.decode(body, type=dict[str, Raw])
    values = [top["o"], top["system"], top["empty"], top["n"], top["tools"], Raw(b" "), Raw(b"[1]")]
    places = extent.frame(SpanIndex(body), values)
    assert [body[start:end] for start, end in places] == [b"[1]", b'"s"', b'{"a":2}']


def test_body_is_not_read_again_where_its_values_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    looked_up = extent._looked_up

    def spy(index: SpanIndex, document: bytes, key: str) -> tuple[int, int] | None:
        read.append(len(document))
        return looked_up(index, document, key)

    monkeypatch.setattr(extent, "_looked_up", spy)
    text = b"x" * 10_000
    listed = b'[{"role":"user","content":"%b"},{"role":"user","content":"%b"},{"role":"user"}]' % (text, text)
    assert _messages(b'{"tools":"%b","a":[],"messages":%b,"system":"%b"}' % (text, listed, text)) == listed
    assert len(read) == 1
    assert read[0] < 100
