"""What a reader with the documented rules makes of JSON results as they were sent."""

from typing import cast

from tokenpakd.compression import json_text
from tokenpakd.compression.json_text import JsonValue, JsonWhole
from tokenpakd.compression.rejoin import restored
from tokenpakd.compression.values import EARLIER, END, LATEST, OTHER_KEYS, START, name_of, pointed_at
from tokenpakd.exchange.request import Call

_Path = tuple[str, ...]


class JsonReader:
    """Reads the results of one conversation in order."""

    def __init__(self) -> None:
        self._results: list[tuple[str, JsonValue, JsonValue]] = []

    def read(self, sent: str, call: Call | None, *, has_pointers: bool) -> str:
        """Return the document as it came, without its blanks. `has_pointers`: some are ours."""
        document = json_text.read(sent, json_text.MAX_DEPTH_SENT)
        assert document is not None
        joined = restored(document.value)
        whole = self._value(joined, ()) if has_pointers else joined
        if call is not None and isinstance(joined, dict):
            self._results.append((name_of(call), joined, whole))
        is_lines = document.is_lines or (isinstance(document.value, dict) and "_lines" in document.value)
        return json_text.written(json_text.Document(document.before, cast(JsonWhole, whole), document.after, is_lines))

    def read_again(self, sent: str, call: Call | None) -> str:
        """Return a document that an equal one stands for, sent as `sent` above; it is the latest of its call's."""
        document = json_text.read(sent, json_text.MAX_DEPTH_SENT)
        assert document is not None
        whole = restored(document.value)
        if call is not None and isinstance(whole, dict):
            self._results.append((name_of(call), None, whole))
        is_lines = document.is_lines or (isinstance(document.value, dict) and "_lines" in document.value)
        return json_text.written(json_text.Document(document.before, cast(JsonWhole, whole), document.after, is_lines))

    def _value(self, value: JsonValue, path: _Path) -> JsonValue:
        if isinstance(value, str) and value.startswith(START) and value.endswith(END):
            return self._meant(value, path)
        if not isinstance(value, dict):
            return value
        own = {key: self._value(cell, (*path, key)) for key, cell in value.items() if key != OTHER_KEYS}
        if OTHER_KEYS not in value:
            return own
        pointer = cast(str, value[OTHER_KEYS])
        name = pointed_at(pointer)[1]
        of_name = (_at(whole, path) for its, _, whole in self._results if its == name)
        base = [found for found in of_name if isinstance(found, dict)][-1]
        found = {key: own[key] if key in own else self._meant(pointer, (*path, key)) for key in base}
        return {**found, **own}

    def _meant(self, pointer: str, path: _Path) -> JsonValue:
        word, name = pointed_at(pointer)
        of_name = [(sent, whole) for its, sent, whole in self._results if its == name]
        if word == LATEST:
            having = [pair for pair in of_name if isinstance(_at(pair[1], path[:-1]), dict)]
            sent, whole = having[-1]
            assert _stands_in_full(sent, whole, path)
            return _at(whole, path)
        assert word == EARLIER
        found = [_at(whole, path) for sent, whole in of_name if _stands_in_full(sent, whole, path)]
        assert found
        assert len(set(map(json_text.write, found))) == 1
        return found[0]


def _at(value: JsonValue, path: _Path) -> JsonValue:
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return value


def _stands_in_full(sent: JsonValue, whole: JsonValue, path: _Path) -> bool:
    holder = _at(sent, path[:-1])
    if not isinstance(holder, dict) or path[-1] not in holder:
        return False
    return json_text.write(holder[path[-1]]) == json_text.write(_at(whole, path))
