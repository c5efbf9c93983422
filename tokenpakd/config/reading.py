"""Plain data in, a checked section out; every problem is collected, none stops the reading.

The types are those of the declarations. A value from the environment or a flag comes as text and wins over the file.
"""

import enum
import math
import typing
from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeVar

import msgspec

from tokenpakd.config.document import Document, Path, key_text, plain_value
from tokenpakd.config.problems import Problem, did_you_mean, shown
from tokenpakd.config.schema import bounds_text, choices, members, section_of, type_text
from tokenpakd.config.sections import Section

_TRUE = ("1", "on", "true", "yes", "enabled")
_FALSE = ("0", "off", "false", "no", "disabled")

SectionT = TypeVar("SectionT", bound=Section)


class Given(NamedTuple):
    """A value that stands above the file; `source` is the variable or the flag."""

    value: object
    source: str
    is_flag: bool


class Origin(msgspec.Struct, frozen=True):
    """Where a value comes from; `detail` is the variable, the flag or `config.yaml:12`."""

    source: Literal["default", "file", "env", "flag"]
    detail: str = ""


class _Bad(enum.Enum):
    """Stands for a value that could not be read; its problem is on the list."""

    BAD = "bad"


BAD = _Bad.BAD


class Reader:
    """Reads one document. `problems` and `origins` fill up on the way."""

    def __init__(self, document: Document, file: str, above: Mapping[Path, Given]) -> None:
        self._document = document
        self._file = file
        self._above = above
        self.problems: list[Problem] = list(document.problems)
        self.origins: dict[str, Origin] = {}

    def section(self, section: type[SectionT], data: object, path: Path) -> SectionT | _Bad:
        """Read a mapping with fixed keys; what cannot be read keeps its default."""
        if not isinstance(data, dict):
            if data is not None:
                # The whole file has no key, and its text alone would be a riddle.
                self.blame(path, "must be a mapping", value=shown(data) if path else None)
            data = {}
        fields = {field.name: field for field in msgspec.structs.fields(section)}
        for name in data:
            if name not in fields:
                self.blame((*path, name), "unknown key", hint=did_you_mean(name, fields) or _known(fields))
        arguments: dict[str, object] = {}
        is_whole = True
        for name, field in fields.items():
            value = self._field(field, data, (*path, name))
            if value is not BAD:
                arguments[name] = value
            elif field.required:
                is_whole = False
        return section(**arguments) if is_whole else BAD

    def blame(
        self, path: Path, reason: str, *, value: str | None = None, allowed: str | None = None, hint: str | None = None
    ) -> None:
        """Put a problem on the list, with the place the value came from."""
        key = key_text(path)
        given = self._above.get(path)
        if given is not None:
            problem = Problem(reason=reason, key=key, source=given.source, value=value, allowed=allowed, hint=hint)
        else:
            problem = Problem(
                reason=reason,
                key=key,
                source=self._file,
                file=self._file,
                line=self._line(path),
                value=value,
                allowed=allowed,
                hint=hint,
            )
        self.problems.append(problem)

    def _field(self, field: msgspec.structs.FieldInfo, data: Mapping[str, object], path: Path) -> object:
        given = self._above.get(path)
        if given is not None:
            self.origins[key_text(path)] = Origin("flag" if given.is_flag else "env", given.source)
            return self._scalar(field.type, given.value, path, is_text=isinstance(given.value, str))
        section = section_of(members(field.type)[0][0])
        if field.name in data or section is not None:
            return self._value(field.type, data.get(field.name), path)
        if field.required:
            self.blame(path, "missing", allowed=type_text(field.type))
        return BAD

    def _value(self, annotation: object, data: object, path: Path) -> object:
        found, _ = members(annotation)
        section = next(filter(None, map(section_of, found)), None)
        held = next((typing.get_args(one)[1] for one in found if typing.get_origin(one) is dict), None)
        item = next((typing.get_args(one)[0] for one in found if typing.get_origin(one) is tuple), None)
        if section is None and path in self._document.lines and not any(isinstance(part, int) for part in path):
            self.origins[key_text(path)] = self._from_file(path)
        # A section that is left empty, all of its keys commented out, says nothing.
        is_empty = data is None and type(None) not in found
        if section is not None and (isinstance(data, dict) or is_empty or not found[1:]):
            return self.section(section, data, path)
        if held is not None and (isinstance(data, dict) or is_empty):
            return self._map(held, data if isinstance(data, dict) else {}, path)
        if item is not None and is_empty:
            return ()
        if isinstance(data, list) and item is not None:
            values = [self._value(item, one, (*path, index)) for index, one in enumerate(data)]
            return tuple(value for value in values if value is not BAD)
        return self._scalar(annotation, data, path, is_text=False)

    def _map(self, held: object, data: Mapping[str, object], path: Path) -> dict[str, object]:
        found, _ = members(held)
        section = next(filter(None, map(section_of, found)), None)
        # One set of rates or a map from patterns to such sets: the section's own keys decide which is meant.
        own = {field.name: field.type for field in msgspec.structs.fields(section)} if section and found[1:] else {}
        read: dict[str, object] = {}
        for name, value in data.items():
            inner = (*path, name)
            if own and name not in own and not isinstance(value, dict):
                self.blame(inner, "unknown key", hint=did_you_mean(name, own) or _known(own))
                continue
            read_value = self._value(own.get(name, section) if own else held, value, inner)
            if read_value is not BAD:
                read[name] = read_value
        return read

    def _scalar(self, annotation: object, data: object, path: Path, *, is_text: bool) -> object:
        found, meta = members(annotation)
        for member in found:
            value = _as_member(member, data, is_text=is_text)
            if value is BAD:
                continue
            if isinstance(value, int | float) and meta is not None and not isinstance(value, bool):
                is_low = meta.ge is not None and value < meta.ge
                if is_low or (meta.le is not None and value > meta.le):
                    reason = "too small" if is_low else "too large"
                    self.blame(path, reason, value=shown(data), allowed=bounds_text(annotation), hint=_own_hint(meta))
                    return BAD
            return value
        allowed = ", ".join(filter(None, (type_text(annotation), bounds_text(annotation))))
        words = [word for member in found for word in _words(member)]
        reason = "has no value" if data is None else "not one of the known words" if words else "of the wrong type"
        hint = did_you_mean(data, words) if words else _own_hint(meta)
        self.blame(path, reason, value=shown(data), allowed=allowed, hint=hint)
        return BAD

    def _line(self, path: Path) -> int | None:
        for length in range(len(path), 0, -1):
            if path[:length] in self._document.lines:
                return self._document.lines[path[:length]]
        return None

    def _from_file(self, path: Path) -> Origin:
        return Origin("file", f"{self._file.rsplit('/', 1)[-1]}:{self._line(path)}")


def _known(names: typing.Iterable[str]) -> str:
    return f"Known here: {', '.join(names)}."


def _own_hint(meta: msgspec.Meta | None) -> str | None:
    """What the key itself says to whoever got it wrong."""
    return ((meta.extra if meta else None) or {}).get("hint")


def _words(member: object) -> list[str]:
    if typing.get_origin(member) is Literal:
        return [str(word) for word in typing.get_args(member)]
    if isinstance(member, type) and issubclass(member, enum.Enum):
        return [str(choice.value) for choice in choices(member)]
    return []


def _as_member(member: object, data: object, *, is_text: bool) -> object:
    """Take a scalar as a value of this type; BAD where it is none."""
    if isinstance(data, str) and (words := _words(member)):
        word = data.strip().lower() if is_text else data
        if word not in words:
            return BAD
        return member(word) if isinstance(member, type) else word
    if member is bool and isinstance(data, str):
        word = data.strip().lower()
        return True if word in _TRUE else False if word in _FALSE else BAD
    if is_text and isinstance(data, str) and member in (int, float):
        data = plain_value(data.strip())
    if member is float and isinstance(data, int | float) and not isinstance(data, bool):
        return float(data) if math.isfinite(data) else BAD
    if member is type(None) and data is None:
        return None
    return data if type(data) is member else BAD
