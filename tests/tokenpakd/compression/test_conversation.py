"""What is remembered of a conversation can be made again: it decides nothing."""

import json
from typing import Any

import pytest

from tokenpakd.compression import engine
from tokenpakd.compression.conversation import Conversation, Settings
from tokenpakd.dialects.registry import dialect
from tokenpakd.exchange.request import DialectName, Look

Json = Any
SETTINGS = Settings(compressors="hybrid-1", min_cacheable_tokens=0)
FILE = "\n".join(f"line {number} of a file that is read again and again" for number in range(30))


def _request(*results: Json, said: str = "I look.") -> tuple[bytes, Look]:
    messages: list[Json] = [{"role": "user", "content": "go"}]
    for number, content in enumerate(results):
        use = {"type": "tool_use", "id": f"t{number}", "name": "bash", "input": {"command": f"cat {number}"}}
        messages += [
            {"role": "assistant", "content": [{"type": "text", "text": said}, use]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"t{number}", "content": content}]},
        ]
    body = json.dumps({"model": "m", "messages": messages}).encode()
    return body, dialect(DialectName.ANTHROPIC).look(body, want_spans=True, path=b"/v1/messages")


def _known(*results: Json) -> Conversation:
    return engine.compress(*_request(*results), None, SETTINGS).conversation


def _state(known: Conversation) -> tuple[object, ...]:
    return (
        known.verdicts,
        known.removed_bytes,
        known.lines.mark(),
        len(known.lines),
        known.wholes.mark(),
        known.values.mark(),
        known.size_bytes - len(known.body),
    )


@pytest.mark.parametrize("count", range(6))
def test_rewound_it_is_as_if_the_rest_had_never_been(count: int) -> None:
    results = (FILE, f"{FILE}\nmore", FILE, '{"a": [1, 2, 3], "b": "some words that are long"}', "short")
    known = _known(*results)
    known.rewind(count)
    fresh = _known(*results[: max(0, count - 1)])
    fresh.rewind(count)
    assert _state(known) == _state(fresh)
    assert len(known.spans) == count


def test_rewinding_to_where_it_stands_changes_nothing() -> None:
    known = _known(FILE, FILE)
    before = _state(known)
    known.rewind(3)
    known.rewind(99)
    assert _state(known) == before


@pytest.mark.parametrize(
    ("now", "shared"),
    [
        (_request(FILE, "b", "c"), 3),
        (_request(FILE, "b"), 3),
        (_request(FILE), 2),
        (_request(FILE, "other", "c"), 2),
        (_request("other", "b", "c"), 1),
        (_request(FILE, [{"type": "text", "text": "b"}], "c"), 3),
        (_request(FILE, [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]), 2),
        (_request(FILE, "b", said="I look elsewhere."), 3),
    ],
)
def test_what_is_shared_is_counted_span_by_span(now: tuple[bytes, Look], shared: int) -> None:
    assert _known(FILE, "b").shared(*now) == shared


def test_a_text_that_became_one_of_several_is_another_one() -> None:
    """It would be called otherwise where it is pointed at."""
    one, two = {"type": "text", "text": FILE}, {"type": "text", "text": "more"}
    assert _known([one]).shared(*_request([one, two])) == 1


def test_other_settings_do_not_fit() -> None:
    _, look = _request(FILE)
    assert _known(FILE).fits(look, SETTINGS)
    assert not _known(FILE).fits(look, Settings(compressors="aggressive-1", min_cacheable_tokens=0))
    assert not _known(FILE).fits(look, Settings(compressors="hybrid-1", min_cacheable_tokens=0, masked_spans=2))
    assert not Conversation(SETTINGS).fits(look, SETTINGS), "there was no request yet"


def test_size_grows_with_what_is_kept() -> None:
    sizes = [_known(*[FILE] * count).size_bytes for count in (0, 1, 3)]
    assert sizes == sorted(sizes)
    assert sizes[1] > 2 * len(FILE)
