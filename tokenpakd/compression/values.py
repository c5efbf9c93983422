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
- What is learned are short values and hashes of long ones; `rollback` forgets in reverse order.
"""

import hashlib
import operator
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from tokenpakd.compression import json_text
from tokenpakd.compression.json_text import Document, JsonObject, JsonValue
from tokenpakd.compression.sightings import Path, Shelf, Sightings
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
_PLAIN_MARK_BYTES = 64
_HASH_BYTES = 20
_HASHED = b"\0"
"""No value begins so."""

# Leading `"key":scalar` pairs of a call's arguments, which may be cut off.
_ARGUMENT = re.compile(r'[{,]"(?:[^"\\]|\\.)*":(?:"([^"\\]*)"|(-?[\d.]+|true|false))(?=[,}])')

_CONTAINERS = frozenset((dict, list))
_OPENING = b"{["
_ENCODE = msgspec.json.encode
_TEXT = msgspec.json.Decoder(str)


def pointed_at(pointer: str) -> tuple[str, str]:
    """Return which result a pointer means, `earlier` or `latest`, and the name of its call."""
    word, _, name = pointer[len(START) : -len(END)].partition(" ")
    return word, name


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
        self._holders: Shelf[tuple[Path, bytes], str] = Shelf()
        self._objects = Sightings()
        self._alike: Shelf[tuple[Path, bytes], str] = Shelf()
        self._silent: Shelf[str, None] = Shelf()
        self._learned: list[tuple[int, ...]] = []
        # What `encode` wrote of a document, for `learn`: by identity, so the document is held.
        self._read: JsonValue = None
        self._texts: dict[int, dict[str, bytes]] = {}

    @property
    def entries(self) -> int:
        """How many values and objects it has taken note of."""
        return self._objects.entries

    def mark(self) -> int:
        """Return the point that `rollback` comes back to."""
        return len(self._learned)

    def rollback(self, mark: int) -> None:
        """Forget every document learned since `mark()` returned this."""
        if mark >= len(self._learned):
            return
        objects, *lengths = self._learned[mark]
        self._objects.cut(objects)
        for shelf, length in zip(self._shelves(), lengths, strict=True):
            shelf.cut(length)
        del self._learned[mark:]

    def encode(self, document: Document) -> tuple[Document, bool]:
        """Return a document with pointers in place of what stands in full above, and whether there are any."""
        value = document.value
        if document.is_lines or type(value) is not dict or not self._learned or is_marked(_spelled(document)):
            return document, False
        self._read, self._texts = value, {}
        short = self._object(value, ())
        return (document, False) if short is value else (Document(document.before, short, document.after), True)

    def learn(
        self, document: Document, call: Call | None, *, has_pointers: bool = False, is_shown: bool = True
    ) -> None:
        """Take note of a document as it is sent. `has_pointers`: it is what `encode` made, not what came.

        Of one that is not shown, for a pointer stands in its place, only that it is the latest of its name.
        """
        self._note_point()
        if call is None or document.is_lines or type(document.value) is not dict:
            return
        name = name_of(call)
        is_strange = not has_pointers and is_marked(_spelled(document))
        if is_strange or not self._learn(document.value, name, has_pointers=has_pointers, is_shown=is_shown):
            self._silent.add(name, None)
        self._read, self._texts = None, {}

    def silence(self, call: Call) -> None:
        """Point at no result of a call's name any more: what it would mean cannot be said."""
        self._note_point()
        self._silent.add(name_of(call), None)

    def _shelves(self) -> tuple[Shelf[Any, Any], ...]:
        return self._holders, self._alike, self._silent

    def _note_point(self) -> None:
        self._learned.append((len(self._objects), *map(len, self._shelves())))

    def _object(self, value: JsonObject, path: Path) -> JsonObject:
        if len(path) >= _MAX_DEPTH or not 0 < len(value) <= _MAX_KEYS:
            return value
        cells = self._texts[id(value)] = {key: _ENCODE(cell) for key, cell in value.items()}
        pointer, others = self._others(cells, path)
        found: JsonObject = {}
        for key, cell in value.items():
            if key not in others:
                can_be = type(cell) in _CONTAINERS or (type(cell) is str and len(cell) >= _LONG_CHARS)
                found[key] = self._cell(cell, cells[key], (*path, key)) if can_be else cell
        if others:
            found[OTHER_KEYS] = pointer
        elif all(map(operator.is_, found.values(), value.values())):
            return value
        return found

    def _cell(self, cell: JsonValue, text: bytes, path: Path) -> JsonValue:
        if len(text) < _LEAST_BYTES:
            return cell
        mark = _mark(text)
        for name in _ends(self._holders.at((path, mark))):
            for word in (EARLIER, LATEST):
                if self._found(name, path, word) != mark:
                    continue
                pointer = f"{START}{word} {name}{END}"
                if len(_ENCODE(pointer)) < len(text) and estimate(text) - estimate(pointer) >= _MIN_GAIN_TOKENS:
                    return pointer
        return self._object(cell, path) if type(cell) is dict else cell

    def _others(self, cells: dict[str, bytes], path: Path) -> tuple[str, frozenset[str]]:
        """Return the pointer to an earlier object and the keys it stands for; none where that would not pay."""
        if len(cells) <= _MIN_SHARED_KEYS:
            return "", frozenset()
        keys = tuple(cells)
        best: tuple[str, frozenset[str]] = "", frozenset()
        for name in _ends(self._alike.at((path, _first_mark(cells)))):
            base = self._objects.keys(name, path)
            if keys[: len(base)] != base or self._silent.at(name):
                continue
            marks = {key: _mark(cells[key]) for key in base[1:]}
            for word in (EARLIER, LATEST):
                others = self._objects.equal(name, path, marks, is_latest=word == LATEST)
                if len(others) < max(_MIN_SHARED_KEYS, len(best[1]) + 1):
                    continue
                pointer = f"{START}{word} {name}{END}"
                spared = b"".join(b',"%b":%b' % (key.encode(), cells[key]) for key in others)
                told = b',"%b":%b' % (OTHER_KEYS.encode(), _ENCODE(pointer))
                if len(told) < len(spared) and estimate(spared) - estimate(told) >= _MIN_GAIN_TOKENS:
                    best = pointer, frozenset(others)
        return best

    def _found(self, name: str, path: Path, word: str) -> bytes | None:
        """Return the mark of the value that such a pointer means; None where it means none."""
        return None if self._silent.at(name) else self._objects.mark_of(name, path, is_latest=word == LATEST)

    def _learn(self, whole: JsonObject, name: str, *, has_pointers: bool, is_shown: bool) -> bool:
        """Return False where there is too much to take note of."""
        left = _MAX_LEARNED_KEYS
        objects: list[tuple[JsonObject, Path]] = [(whole, ())]
        for value, path in objects:
            left -= len(value)
            if left < 0 or len(value) > _MAX_KEYS:
                return False
            cells = self._texts.get(id(value)) or {key: _ENCODE(cell) for key, cell in value.items()}
            others: bytes | None = None
            if has_pointers and OTHER_KEYS in cells:
                others = cells.pop(OTHER_KEYS)
            keys = self._keys(cells, others, path)
            if len(path) + 1 < _MAX_DEPTH:
                objects.extend((cell, (*path, key)) for key, cell in value.items() if type(cell) is dict)
            if not cells or not is_shown:
                self._objects.add(name, path, keys, {})
                continue
            self._alike.add((path, _first_mark(cells)), name)
            if has_pointers:
                cells = {key: text for key, text in cells.items() if _START not in text and _OTHERS not in text}
            self._objects.add(name, path, keys, self._see(cells, path, name))
        return True

    def _keys(self, cells: dict[str, bytes], others: bytes | None, path: Path) -> Path:
        """Return the keys of an object as it came."""
        if others is None:
            return tuple(cells)
        base = self._objects.keys(pointed_at(_TEXT.decode(others))[1], path)
        return (*base, *(key for key in cells if key not in base))

    def _see(self, cells: dict[str, bytes], path: Path, name: str) -> dict[str, bytes]:
        """Take note of values that stand in full in the latest object at a path; return their marks."""
        marks = dict(cells)
        for key, text in cells.items():
            size = len(text)
            if size < _LEAST_BYTES:
                continue
            if size > _PLAIN_MARK_BYTES:
                marks[key] = _mark(text)
            if text[0] in _OPENING or size > _LONG_CHARS:
                self._holders.add(((*path, key), marks[key]), name)
        return marks


def _spelled(document: Document) -> str:
    return document.shortest or json_text.write(document.value)


def _mark(text: bytes) -> bytes:
    """Return what tells a value from others: itself where it is short, else a hash."""
    if len(text) <= _PLAIN_MARK_BYTES:
        return text
    return _HASHED + hashlib.blake2b(text, digest_size=_HASH_BYTES).digest()


def _first_mark(cells: dict[str, bytes]) -> bytes:
    key = next(iter(cells))
    return key.encode() + b":" + _mark(cells[key])


def _ends(names: Sequence[str]) -> tuple[str, ...]:
    """Return the first and the last of the names: the one that says it all and the one fresh in mind."""
    return () if not names else (names[0],) if names[0] == names[-1] else (names[0], names[-1])
