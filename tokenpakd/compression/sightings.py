"""Which values stood in full in the objects of earlier results, by the result's name and the path to the object.

An object is noted in one step. What its keys last held is made of that when it is first asked for: of most it never is.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Generic, TypeAlias, TypeVar

import msgspec

Path: TypeAlias = tuple[str, ...]
_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class Shelf(Generic[_K, _V]):
    """Lists by key that only grow, and can be cut back to an earlier state."""

    def __init__(self) -> None:
        self._lists: dict[_K, list[_V]] = {}
        self._order: list[_K] = []

    def __len__(self) -> int:
        return len(self._order)

    def add(self, key: _K, value: _V) -> None:
        self._lists.setdefault(key, []).append(value)
        self._order.append(key)

    def at(self, key: _K) -> Sequence[_V]:
        return self._lists.get(key, ())

    def cut(self, length: int) -> list[_V]:
        """Forget all but so many values; return them, the last one first."""
        gone: list[_V] = []
        for key in reversed(self._order[length:]):
            values = self._lists[key]
            gone.append(values.pop())
            if not values:
                del self._lists[key]
        del self._order[length:]
        return gone

    def added_since(self, length: int) -> Sequence[_K]:
        """Return the keys of what was added since there were so many."""
        return self._order[length:]


class _Object(msgspec.Struct, frozen=True, gc=False):
    """An object as it came: its keys; and the marks of those of its values that stand in full."""

    keys: Path
    marks: dict[str, bytes]


class _Sighting(msgspec.Struct, frozen=True, gc=False):
    """A value that stands in full. `is_same`: so did only equal ones under that name; `number`: of the object."""

    mark: bytes
    number: int
    is_same: bool


class Sightings:
    """Objects in the order they came, cut back like a shelf."""

    def __init__(self) -> None:
        self._objects: Shelf[tuple[str, Path], _Object] = Shelf()
        self._standing: dict[tuple[str, Path], tuple[int, dict[str, _Sighting]]] = {}
        self._marks = 0

    def __len__(self) -> int:
        return len(self._objects)

    @property
    def entries(self) -> int:
        """How many objects and values it has taken note of."""
        return len(self._objects) + self._marks

    def add(self, name: str, path: Path, keys: Path, marks: dict[str, bytes]) -> None:
        """Take note of an object with these keys, of which those with a mark stand in full."""
        self._objects.add((name, path), _Object(keys, marks))
        self._marks += len(marks)

    def cut(self, length: int) -> None:
        """Forget all but so many objects."""
        for place in self._objects.added_since(length):
            self._standing.pop(place, None)
        self._marks -= sum(len(gone.marks) for gone in self._objects.cut(length))

    def keys(self, name: str, path: Path) -> Path:
        """Return the keys of the latest object there."""
        return self._objects.at((name, path))[-1].keys

    def mark_of(self, name: str, path: Path, *, is_latest: bool) -> bytes | None:
        """Return the mark of the one value that stood in full at a path; None where there is no such one.

        `is_latest`: it is in the latest object, whatever stood there before.
        """
        last = self._last(name, path[:-1]).get(path[-1])
        if last is None:
            return None
        is_meant = last.number == len(self._objects.at((name, path[:-1]))) if is_latest else last.is_same
        return last.mark if is_meant else None

    def equal(self, name: str, path: Path, marks: Mapping[str, bytes], *, is_latest: bool) -> list[str]:
        """Return the keys whose values in an object are those that `mark_of` would find."""
        last = self._last(name, path)
        count = len(self._objects.at((name, path)))
        return [
            key
            for key, mark in marks.items()
            if (seen := last.get(key)) is not None
            and seen.mark == mark
            and (seen.number == count if is_latest else seen.is_same)
        ]

    def _last(self, name: str, path: Path) -> dict[str, _Sighting]:
        """Return the last sighting of each key of the objects at a path."""
        objects = self._objects.at((name, path))
        count, found = self._standing.get((name, path), (0, {}))
        for number in range(count, len(objects)):
            for key, mark in objects[number].marks.items():
                before = found.get(key)
                is_same = before is None or (before.is_same and before.mark == mark)
                found[key] = _Sighting(mark, number + 1, is_same)
        if objects:
            self._standing[(name, path)] = len(objects), found
        return found
