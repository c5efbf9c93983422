"""Keys of conversations, and the pins that keep their modes."""

import pytest

from tokenpakd.compression.ledger import conversation_key, effective_mode, parse_mode
from tokenpakd.exchange.row import Pin
from tokenpakd.tip.modes import Mode

SALT = b"s" * 32


def _pin(conversation: str, mode: str = "hybrid", epoch: int = 0) -> Pin:
    return Pin(conversation=conversation, mode=mode, epoch=epoch, created_unix_ms=1)


def test_key_depends_on_every_part_and_the_salt() -> None:
    openings = [(b"a", b"b"), (b"ab",), (b"", b"ab"), (b"ab", b""), (b"a", b"b", b"")]
    keys = {conversation_key(opening, SALT) for opening in openings}
    assert len(keys) == len(openings)
    assert conversation_key((b"a", b"b"), SALT) == conversation_key((b"a", b"b"), SALT)
    assert conversation_key((b"a", b"b"), b"t" * 32) not in keys
    assert {len(key) for key in keys} == {32}
    assert all(int(key, 16) >= 0 for key in keys)


def test_salt_of_any_length_will_do() -> None:
    assert len({conversation_key((b"a",), b"s" * length) for length in (0, 1, 64, 65, 100)}) == 5


@pytest.mark.parametrize(
    ("header", "pinned", "daemon", "expected"),
    [
        (None, None, Mode.HYBRID, Mode.HYBRID),
        (None, "strict", Mode.HYBRID, Mode.STRICT),
        (Mode.AGGRESSIVE, "strict", Mode.HYBRID, Mode.AGGRESSIVE),
        (Mode.STRICT, None, Mode.HYBRID, Mode.STRICT),
        (None, "of a later version", Mode.AGGRESSIVE, Mode.AGGRESSIVE),
    ],
)
def test_header_before_pin_before_daemon(header: Mode | None, pinned: str | None, daemon: Mode, expected: Mode) -> None:
    pin = None if pinned is None else _pin("c", pinned)
    assert effective_mode(header, pin, daemon) is expected


def test_mode_is_read_without_regard_to_case_and_blanks() -> None:
    assert parse_mode(" Strict ") is Mode.STRICT
    assert parse_mode("") is None
    assert parse_mode("strict,hybrid") is None
