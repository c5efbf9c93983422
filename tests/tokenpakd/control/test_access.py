import pytest

from tokenpakd.control.access import EVERYTHING, NOTHING, Access, granted


@pytest.mark.parametrize(
    ("peer", "own", "expect"),
    [(1000, 1000, EVERYTHING), (0, 1000, EVERYTHING), (1001, 1000, NOTHING), (None, 1000, NOTHING), (None, 0, NOTHING)],
)
def test_only_the_same_user_and_root_may_do_anything(peer: int | None, own: int, expect: frozenset[Access]) -> None:
    assert granted(peer, own) == expect
