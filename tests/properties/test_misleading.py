"""Pointers that would lead a reader somewhere else, however right they are by the encoder's own books."""

import json
from typing import Any

import pytest

from tests.playbook.decoding import decoded
from tests.properties.conversations import Turn, anthropic, looked, sent, settings, written
from tokenpakd.compression import json_text
from tokenpakd.exchange.request import DialectName
from tokenpakd.tip.modes import Mode

Json = Any
NAME = DialectName.ANTHROPIC


def texts(turns: list[Turn], mode: Mode = Mode.HYBRID) -> list[str]:
    """Return the results as they are sent, in hybrid after a reader has told all of them back."""
    body = written(anthropic(turns))
    out = sent(NAME, body, how=settings(mode))
    look = looked(NAME, out)
    if mode is Mode.HYBRID:
        assert [_plain(text or "") for text in list(decoded(out, look.spans))[-len(turns) :]] == [
            _plain(turn.result) for turn in turns
        ]
    return [json.loads(out[span.start : span.end]) for span in look.spans if span.kind.value == "tool_result"]


def _plain(text: str) -> str:
    document = json_text.read(text)
    return text if document is None else json_text.written(document)


def _items(letter: str) -> Json:
    return [{"sku": f"{letter}{n}", "quantity": n, "title": f"Thing {letter} number {n}"} for n in range(6)]


def _order(order: str, value: Json) -> Turn:
    return Turn("get_order", {"id": order}, value if isinstance(value, str) else json.dumps(value))


OPEN = {"items": _items("a"), "state": "open"}
CLOSED = Turn("find_last", {"of": "me"}, json.dumps({"items": _items("a"), "state": "closed"}))


def test_an_earlier_value_is_pointed_at() -> None:
    assert (
        texts([_order("5", OPEN), CLOSED])[-1] == '{"items":"[same as in your earlier get_order 5]","state":"closed"}'
    )


@pytest.mark.parametrize(
    "between",
    [
        {"items": []},
        '{"items": [], "items": []}',
        'order 5:\n{"items": [NaN]}',
        {"items": [], "note": "CLAUDE.md " * 9},
    ],
    ids=["too short to be shortened", "read by nobody", "not JSON to all", "another"],
)
@pytest.mark.parametrize("first", [OPEN, {"items": _items("b"), "state": "open"}], ids=["earlier", "latest"])
def test_a_result_of_the_same_call_that_says_otherwise_is_never_overlooked(first: Json, between: Json) -> None:
    turns = [_order("5", first), _order("5", OPEN), _order("5", between), CLOSED]
    assert "same as in your" not in texts(turns)[-1]


def test_a_pointer_to_a_whole_output_is_the_latest_of_its_call() -> None:
    """What stands in the output before it is the latest no more: the reader of `latest` would find another pointer."""
    other = {"items": _items("b"), "state": "open"}
    found = texts([_order("5", other), _order("5", OPEN), _order("5", other), CLOSED])
    assert found[2].startswith("[same output as your ")
    assert "latest" not in found[3]
