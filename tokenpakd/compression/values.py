"""Values of a JSON result that stand in an earlier one already become pointers to it.

`"passengers":[…]` becomes `"passengers":"[same as in your earlier get_reservation JG7FMM]"`. Where an object is an
earlier one with a few keys changed, the changed ones are said and `"_other_keys"` points at the earlier one.

Rules of this file:
- A pointer stands at the same keys as what it means: the path from the root of the document is said by where it stands.
  Nothing within a list is pointed at or replaced: it would have to be counted.
- It names the call by its tool and what its arguments say. `your earlier X`: in whichever result of X that path stands
  in full it is the same value. `your latest X`: it stands in full in the latest result of X that has that object.
- What is pointed at stands in full in what was sent: it is no pointer and holds none.
- `_other_keys` stands last. The object has the keys of the earlier one in its order, then those that are new.
- A document that holds such words or that key itself is neither changed nor learned.
- What is learned are the first bytes or hashes of values, not values; `rollback` forgets in reverse order.
"""

import hashlib
import operator
import re
from collections.abc import Hashable, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

from tokenpakd.compression import json_text
from tokenpakd.compression.json_text import Document, JsonObject, JsonValue
from tokenpakd.exchange.request import Call
from tokenpakd.tokens.estimate import estimate

OTHER_KEYS = "_other_keys"
START, END = "[same as in your ", "]"
EARLIER, LATEST = "earlier", "latest"

_START, _OTHERS = f'"{START}'.encode(), f'"{OTHER_KEYS}"'.encode()

_MAX_DEPTH = 8
_MAX_KEYS = 256
_MAX_LEARNED_KEYS = 4_096
_LONG_CHARS = 60
_MIN_GAIN_TOKENS = 6
_MIN_SHARED_KEYS = 3
_NAME_CHARS = 64
_SHOWN_CHARS = 40
_SHOWN_VALUES = 3
_LEAST_BYTES = 30
_PLAIN_MARK_BYTES = 16
_HASH_BYTES = 20

# Leading `"key":scalar` pairs of a call's arguments, which may be cut off.
_ARGUMENT = re.compile(r'[{,]"(?:[^"\\]|\\.)*":(?:"([^"\\]*)"|(-?[\d.]+|true|false))(?=[,}])')

_ENCODE = msgspec.json.encode
_TEXT = msgspec.json.Decoder(str)

_Path: TypeAlias = tuple[str, ...]
_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


def pointed_at(pointer: str) -> tuple[str, str]:
    """Return which result a pointer means, `earlier` or `latest`, and the name of its call."""
    word, _, name = pointer[len(START) : -len(END)].partition(" ")
    return word, name


class _Sighting(msgspec.Struct, frozen=True, gc=False):
    """A value that stands in full. `is_same`: so did only equal ones under that name; `number`: of the object."""

    mark: bytes
    number: int
    is_same: bool


class _Shelf(Generic[_K, _V]):
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

    def cut(self, length: int) -> None:
        for key in reversed(self._order[length:]):
            values = self._lists[key]
            values.pop()
            if not values:
                del self._lists[key]
        del self._order[length:]


def name_of(call: Call) -> str:
    """Return what a pointer calls a call: the tool and the first things its arguments say."""
    label = call.label
    if label[:1] == "{":
        shown: list[str] = []
        place = 0
        while len(shown) < _SHOWN_VALUES and (found := _ARGUMENT.match(label, place)) is not None:
            shown.append(found.group(1) or found.group(2) or "")
            place = found.end()
        label = " ".join(shown)
    return " ".join(f"{call.name[:_NAME_CHARS]} {label[:_SHOWN_CHARS]}".split())


def is_marked(text: str) -> bool:
    """Return whether a document in its shortest spelling holds words that pointers are made of."""
    return START in text or OTHER_KEYS in text


class ValueIndex:
    """What stood where in the JSON results of one conversation so far."""

    def __init__(self) -> None:
        self._sightings: _Shelf[tuple[str, _Path], _Sighting] = _Shelf()
        self._holders: _Shelf[tuple[_Path, bytes], str] = _Shelf()
        self._objects: _Shelf[tuple[str, _Path], _Path] = _Shelf()
        self._alike: _Shelf[tuple[_Path, bytes], str] = _Shelf()
        self._silent: _Shelf[str, None] = _Shelf()
        self._learned: list[tuple[int, ...]] = []

    @property
    def entries(self) -> int:
        """How many values and objects it has taken note of."""
        return len(self._sightings) + len(self._objects)

    @property
    def entries(self) -> int:
        """How many values and objects it has taken note of."""
        return len(self._sightings) + len(self._objects)

    def mark(self) -> int:
        """Return the point that `rollback` comes back to."""
        return len(self._learned)

    def rollback(self, mark: int) -> None:
        """Forget every document learned since `mark()` returned this."""
        if mark >= len(self._learned):
            return
        for shelf, length in zip(self._shelves(), self._learned[mark], strict=True):
            shelf.cut(length)
        del self._learned[mark:]

    def encode(self, document: Document) -> tuple[Document, bool]:
        """Return a document with pointers in place of what stands in full above, and whether there are any."""
        value = document.value
        if document.is_lines or type(value) is not dict or not self._learned or is_marked(_spelled(document)):
            return document, False
        short = self._object(value, ())
        return (document, False) if short is value else (Document(document.before, short, document.after), True)

    def learn(
        self, document: Document, call: Call | None, *, has_pointers: bool = False, is_shown: bool = True
    ) -> None:
        """Take note of a document as it is sent. `has_pointers`: it is what `encode` made, not what came.

        Of one that is not shown, for a pointer stands in its place, only that it is the latest of its name.
        """
        self._learned.append(tuple(map(len, self._shelves())))
        if call is None or document.is_lines or type(document.value) is not dict:
            return
        name = name_of(call)
        is_strange = not has_pointers and is_marked(_spelled(document))
        if is_strange or not self._learn(document.value, name, has_pointers=has_pointers, is_shown=is_shown):
            self._silent.add(name, None)

    def silence(self, call: Call) -> None:
        """Point at no result of a call's name any more: what it would mean cannot be said."""
        self._learned.append(tuple(map(len, self._shelves())))
        self._silent.add(name_of(call), None)

    def _shelves(self) -> tuple[_Shelf[Any, Any], ...]:
        return self._sightings, self._holders, self._objects, self._alike, self._silent

    def _object(self, value: JsonObject, path: _Path) -> JsonObject:
        if len(path) >= _MAX_DEPTH or not 0 < len(value) <= _MAX_KEYS:
            return value
        cells = {key: _ENCODE(cell) for key, cell in value.items()}
        pointer, others = self._others(cells, path)
        found: JsonObject = {}
        for key, cell in value.items():
            if key not in others:
                found[key] = self._cell(cell, cells[key], (*path, key))
        if others:
            found[OTHER_KEYS] = pointer
        elif all(map(operator.is_, found.values(), value.values())):
            return value
        return found

    def _cell(self, cell: JsonValue, text: bytes, path: _Path) -> JsonValue:
        if type(cell) is not dict and type(cell) is not list and not (type(cell) is str and len(cell) >= _LONG_CHARS):
            return cell
        if len(text) < _LEAST_BYTES:
            return cell
        mark = _mark(text)
        holders = self._holders.at((path, mark))
        tokens = estimate(text) if holders else 0
        for name in _ends(holders):
            for word in (EARLIER, LATEST):
                pointer = f"{START}{word} {name}{END}"
                is_gain = len(_ENCODE(pointer)) < len(text) and tokens - estimate(pointer) >= _MIN_GAIN_TOKENS
                if is_gain and self._found(name, path, word) == mark:
                    return pointer
        return self._object(cell, path) if type(cell) is dict else cell

    def _others(self, cells: dict[str, bytes], path: _Path) -> tuple[str, frozenset[str]]:
        """Return the pointer to an earlier object and the keys it stands for; none where that would not pay."""
        keys = tuple(cells)
        best: tuple[str, frozenset[str]] = "", frozenset()
        for name in _ends(self._alike.at((path, _first_mark(cells)))):
            base = self._objects.at((name, path))[-1]
            if keys[: len(base)] != base:
                continue
            for word in (EARLIER, LATEST):
                others = [key for key in base[1:] if self._found(name, (*path, key), word) == _mark(cells[key])]
                if len(others) < max(_MIN_SHARED_KEYS, len(best[1]) + 1):
                    continue
                pointer = f"{START}{word} {name}{END}"
                spared = b"".join(b',"%b":%b' % (key.encode(), cells[key]) for key in others)
                told = b',"%b":%b' % (OTHER_KEYS.encode(), _ENCODE(pointer))
                if len(told) < len(spared) and estimate(spared) - estimate(told) >= _MIN_GAIN_TOKENS:
                    best = pointer, frozenset(others)
        return best

    def _found(self, name: str, path: _Path, word: str) -> bytes | None:
        """Return the mark of the value that such a pointer means; None where it means none."""
        sightings = self._sightings.at((name, path))
        if not sightings or self._silent.at(name):
            return None
        last = sightings[-1]
        is_meant = last.is_same if word == EARLIER else last.number == len(self._objects.at((name, path[:-1])))
        return last.mark if is_meant else None

    def _learn(self, whole: JsonObject, name: str, *, has_pointers: bool, is_shown: bool) -> bool:
        """Return False where there is too much to take note of."""
        left = _MAX_LEARNED_KEYS
        objects: list[tuple[JsonObject, _Path]] = [(whole, ())]
        for value, path in objects:
            left -= len(value)
            if left < 0 or len(value) > _MAX_KEYS:
                return False
            cells = {key: _ENCODE(cell) for key, cell in value.items()}
            others = cells.pop(OTHER_KEYS, None)
            self._objects.add((name, path), self._keys(cells, others, path))
            if len(path) + 1 < _MAX_DEPTH:
                objects.extend((cell, (*path, key)) for key, cell in value.items() if type(cell) is dict)
            if not cells or not is_shown:
                continue
            self._alike.add((path, _first_mark(cells)), name)
            if has_pointers:
                cells = {key: text for key, text in cells.items() if _START not in text and _OTHERS not in text}
            self._see(cells, path, name)
        return True

    def _keys(self, cells: dict[str, bytes], others: bytes | None, path: _Path) -> _Path:
        """Return the keys of an object as it came."""
        if others is None:
            return tuple(cells)
        base = self._objects.at((pointed_at(_TEXT.decode(others))[1], path))[-1]
        return (*base, *(key for key in cells if key not in base))

    def _see(self, cells: dict[str, bytes], path: _Path, name: str) -> None:
        """Take note of values that stand in full in the latest object at a path."""
        number = len(self._objects.at((name, path)))
        for key, text in cells.items():
            at = (*path, key)
            mark = text if len(text) <= _PLAIN_MARK_BYTES else _mark(text)
            before = self._sightings.at((name, at))
            is_same = not before or (before[-1].is_same and before[-1].mark == mark)
            self._sightings.add((name, at), _Sighting(mark, number, is_same))
            if len(text) >= _LEAST_BYTES:
                self._holders.add((at, mark), name)


def _spelled(document: Document) -> str:
    return document.shortest or json_text.write(document.value)


def _mark(text: bytes) -> bytes:
    """Return what tells a value from others: itself where it is short, else a hash (longer than any short one)."""
    if len(text) <= _PLAIN_MARK_BYTES:
        return text
    return hashlib.blake2b(text, digest_size=_HASH_BYTES).digest()


def _first_mark(cells: dict[str, bytes]) -> bytes:
    key = next(iter(cells))
    return key.encode() + b":" + _mark(cells[key])


def _ends(names: Sequence[str]) -> tuple[str, ...]:
    """Return the first and the last of the names: the one that says it all and the one fresh in mind."""
    return () if not names else (names[0],) if names[0] == names[-1] else (names[0], names[-1])
