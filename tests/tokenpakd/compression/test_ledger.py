"""Keys of conversations, and the pins that keep their modes."""

import pytest

from tokenpakd.compression.ledger import PinBook, conversation_key, effective_mode, parse_mode
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


def test_book_forgets_what_was_used_longest_ago() -> None:
    book = PinBook(2)
    for name in ("a", "b"):
        book.put(_pin(name))
    assert book.get("a") is not None
    book.put(_pin("c"))
    assert (book.get("b"), len(book)) == (None, 2)
    assert book.get("a") == _pin("a")


def test_first_pin_of_an_epoch_stands() -> None:
    book = PinBook(8)
    assert book.put(_pin("a", "strict")) == _pin("a", "strict")
    assert book.put(_pin("a", "hybrid")) == _pin("a", "strict")
    assert book.put(_pin("a", "hybrid", epoch=1)) == _pin("a", "hybrid", epoch=1)
    assert book.get("a") == _pin("a", "hybrid", epoch=1)


def test_pins_of_older_epochs_are_void_now_and_later() -> None:
    book = PinBook(8)
    for name, epoch in (("a", 0), ("b", 1), ("c", 2)):
        book.put(_pin(name, epoch=epoch))
    assert book.forget_before(2) == 2
    assert book.epoch == 2
    assert [book.get(name) is not None for name in "abc"] == [False, False, True]
    assert book.put(_pin("a", epoch=1)) is None
    assert book.get("a") is None
    assert book.forget_before(1) == 0
    assert book.epoch == 2
