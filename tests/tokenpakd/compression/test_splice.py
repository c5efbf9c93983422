"""Splicing is exact or refuses."""

import pytest

from tokenpakd.compression.splice import Inconsistent, Replacement, splice

BODY = b'{"a":"one" , "b":"two"}'


def test_nothing_to_replace_is_the_same_object() -> None:
    assert splice(BODY, ()) is BODY


def test_all_other_bytes_stay() -> None:
    changes = (Replacement(5, 10, b'"1"'), Replacement(17, 22, '"zwei é"'.encode()))
    assert splice(BODY, changes) == '{"a":"1" , "b":"zwei é"}'.encode()


def test_literals_may_touch() -> None:
    assert splice(b'"a""b"', (Replacement(0, 3, b'""'), Replacement(3, 6, b'"x"'))) == b'"""x"'


@pytest.mark.parametrize(
    "changes",
    [
        (Replacement(17, 22, b'"x"'), Replacement(5, 10, b'"x"')),
        (Replacement(5, 10, b'"x"'), Replacement(5, 10, b'"x"')),
        (Replacement(5, 22, b'"x"'), Replacement(17, 22, b'"x"')),
        (Replacement(5, 99, b'"x"'),),
        (Replacement(-3, 10, b'"x"'),),
        (Replacement(5, 6, b'"x"'),),
        (Replacement(10, 5, b'"x"'),),
        (Replacement(4, 10, b'"x"'),),
        (Replacement(5, 11, b'"x"'),),
        (Replacement(5, 10, b"x"),),
        (Replacement(5, 10, b'"x'),),
        (Replacement(5, 10, b'"a"b"'),),
        (Replacement(5, 10, b'"\n"'),),
        (Replacement(5, 10, b'"\xff"'),),
        (Replacement(5, 10, b"7"),),
    ],
)
def test_what_does_not_fit_is_refused(changes: tuple[Replacement, ...]) -> None:
    with pytest.raises(Inconsistent):
        splice(BODY, changes)
