"""A change of what was already sent is found; what the client changes itself is not counted."""

import json
from typing import Any

from tokenpakd.replay.prefixes import Break, PrefixWatch

Message = dict[str, Any]
MARKED = {"cache_control": {"type": "ephemeral"}}


def _body(*texts: str, system: str = "s") -> bytes:
    return json.dumps({"system": system, "messages": [{"role": "user", "content": text} for text in texts]}).encode()


def _watched(*pairs: tuple[bytes, bytes]) -> list[Break]:
    watch = PrefixWatch()
    for raw, sent in pairs:
        watch.see(raw, sent)
    assert watch.pairs == len(pairs) - 1
    return watch.breaks


def test_growing_requests_break_nothing() -> None:
    assert not _watched((_body("a", "b"), _body("a", "B")), (_body("a", "b", "c"), _body("a", "B", "C")))


def test_a_planted_change_of_an_earlier_message_is_found() -> None:
    steps = (_body("a", "b"), _body("a", "b")), (_body("a", "b", "c"), _body("a", "changed", "c"))
    assert _watched(*steps) == [Break(1, 1)]


def test_a_planted_change_of_the_frame_is_found() -> None:
    assert _watched((_body("a"), _body("a")), (_body("a", "b"), _body("a", "b", system="t"))) == [Break(1, -1)]


def test_a_lost_message_is_found() -> None:
    assert _watched((_body("a", "b"), _body("a", "b")), (_body("a", "b", "c"), _body("a", "b"))) == [Break(1, 2)]


def test_another_spelling_of_bytes_that_the_client_repeated_is_a_change() -> None:
    respelled = _body("a", "b").replace(b'"content": "a"', b'"content": "\\u0061"')
    assert _watched((_body("a"), _body("a")), (_body("a", "b"), respelled)) == [Break(1, 0)]


def test_markers_that_move_and_text_that_the_client_wraps_are_no_change() -> None:
    newest = {"role": "user", "content": [{"type": "text", "text": "a", **MARKED}]}
    aged = {"role": "user", "content": "a"}
    first = json.dumps({"messages": [newest]}).encode()
    second = json.dumps({"messages": [aged, {"role": "assistant", "content": "b"}, newest]}).encode()
    assert not _watched((first, first), (second, second))


def test_behind_a_change_of_the_client_everything_may_change() -> None:
    assert not _watched((_body("a", "b"), _body("a", "b")), (_body("x", "b", "c"), _body("y", "z", "c")))


def test_before_a_change_of_the_client_nothing_may() -> None:
    steps = (_body("a", "b"), _body("a", "b")), (_body("a", "x", "c"), _body("A", "x", "c"))
    assert _watched(*steps) == [Break(1, 0)]
