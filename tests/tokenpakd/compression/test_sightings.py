"""What stood where: one value throughout, the latest, and what a rewound request leaves of it."""

import pytest

from tokenpakd.compression.sightings import Shelf, Sightings


def _seen(*objects: dict[str, bytes]) -> Sightings:
    sightings = Sightings()
    for marks in objects:
        sightings.add("get", ("at",), tuple(marks), marks)
    return sightings


@pytest.mark.parametrize(
    ("objects", "throughout", "latest"),
    [
        ((), None, None),
        (({"a": b"1"},), b"1", b"1"),
        (({"a": b"1"}, {"a": b"1"}), b"1", b"1"),
        (({"a": b"1"}, {"a": b"2"}), None, b"2"),
        (({"a": b"1"}, {"a": b"2"}, {"a": b"2"}), None, b"2"),
        (({"a": b"1"}, {"b": b"2"}), b"1", None),
        (({"a": b"1"}, {}), b"1", None),
    ],
)
def test_value_is_known_throughout_or_of_the_latest_object(
    objects: tuple[dict[str, bytes], ...], throughout: bytes | None, latest: bytes | None
) -> None:
    sightings = _seen(*objects)
    for is_latest, expected in ((False, throughout), (True, latest)):
        assert sightings.mark_of("get", ("at", "a"), is_latest=is_latest) == expected
        same = sightings.equal("get", ("at",), {"a": expected or b"1", "z": b"1"}, is_latest=is_latest)
        assert same == ([] if expected is None else ["a"])
    assert sightings.mark_of("update", ("at", "a"), is_latest=False) is None


def test_objects_that_are_cut_off_leave_nothing_behind() -> None:
    sightings = _seen({"a": b"1", "b": b"5"}, {"a": b"2"}, {"a": b"3"})
    assert sightings.entries == 7
    assert sightings.mark_of("get", ("at", "a"), is_latest=False) is None
    sightings.cut(1)
    assert (len(sightings), sightings.entries) == (1, 3)
    # As many as were read before, with other values.
    sightings.add("get", ("at",), ("a",), {"a": b"1"})
    sightings.add("get", ("at",), ("a", "c"), {"a": b"1"})
    assert sightings.keys("get", ("at",)) == ("a", "c")
    assert sightings.mark_of("get", ("at", "a"), is_latest=False) == b"1"
    assert sightings.mark_of("get", ("at", "b"), is_latest=False) == b"5"
    assert sightings.mark_of("get", ("at", "b"), is_latest=True) is None


def test_shelf_gives_back_what_is_cut_off_last_first() -> None:
    shelf: Shelf[str, int] = Shelf()
    for number, key in enumerate("abab"):
        shelf.add(key, number)
    assert shelf.added_since(2) == ["a", "b"]
    assert shelf.cut(1) == [3, 2, 1]
    assert (shelf.at("a"), shelf.at("b"), len(shelf)) == ([0], (), 1)
