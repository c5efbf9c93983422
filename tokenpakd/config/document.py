"""Door: a YAML text comes in, plain data with the line of every key goes out.

Only what a configuration needs is understood, as YAML 1.2's core schema reads it: `off`, `no` and `12:30` are text,
not a boolean or 750. Tags, anchors and duplicate keys are refused; depth and size are bounded, so that no file can
hang the daemon.
"""

import re
from typing import NamedTuple

import yaml

from tokenpakd.config.problems import Problem, shown

MAX_BYTES = 256 * 1024
_MAX_DEPTH = 32

Path = tuple[str | int, ...]
"""A key's place: names of mappings, indexes of lists."""

_NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
_INT = re.compile(r"[-+]?[0-9]{1,30}\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,4})?\Z")


class Document(NamedTuple):
    """What a file says: the data, the line of every key (from 1) and what is wrong with the text itself."""

    data: object
    lines: dict[Path, int]
    problems: list[Problem]


class _Unreadable(Exception):
    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


class _Loader(yaml.BaseLoader):
    """Composes nodes and nothing else; BaseLoader resolves no tags and builds no objects."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _Unreadable(line, "anchors and aliases are not allowed")
        if getattr(event, "tag", None) not in (None, "!"):
            raise _Unreadable(line, "tags are not allowed")
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise _Unreadable(line, f"nested more than {_MAX_DEPTH} levels deep")
        node = super().compose_node(parent, index)  # type: ignore[arg-type]  # the stub knows mappings only
        self.depth -= 1
        return node


def parse(raw: bytes, file: str) -> Document:
    """Read a YAML text; an empty one is an empty mapping. Nothing is raised: the problems say what is wrong."""
    lines: dict[Path, int] = {}
    problems: list[Problem] = []
    try:
        if len(raw) > MAX_BYTES:
            raise _Unreadable(1, f"longer than {MAX_BYTES:,} bytes")
        node = _compose(raw)
        data = {} if node is None else _value(node, (), lines, problems, file)
    except _Unreadable as exc:
        return Document({}, {}, [Problem(reason=exc.reason, source=file, file=file, line=exc.line)])
    return Document({} if data is None else data, lines, problems)


def _compose(raw: bytes) -> yaml.Node | None:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise _Unreadable(raw.count(b"\n", 0, exc.start) + 1, "not UTF-8") from None
    try:
        # Positions from the text, not from the loader: these errors come before there is a mark.
        loader = _Loader(text)
        node: yaml.Node | None = loader.get_single_node()
    except yaml.reader.ReaderError as exc:
        line = text.count("\n", 0, exc.position) + 1
        raise _Unreadable(line, f"a character that YAML does not allow: U+{ord(text[exc.position]):04X}") from None
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        reason = ", ".join(part for part in (exc.context, exc.problem) if part)
        raise _Unreadable(mark.line + 1 if mark else 1, f"not YAML: {reason}") from None
    except (yaml.YAMLError, ValueError, OverflowError, IndexError, RecursionError):
        # What the library lets slip: an escape beyond Unicode, for one.
        raise _Unreadable(1, "not YAML") from None
    return node


def _value(node: yaml.Node, path: Path, lines: dict[Path, int], problems: list[Problem], file: str) -> object:
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, lines, problems, file)
    if isinstance(node, yaml.SequenceNode):
        values = []
        for index, item in enumerate(node.value):
            lines[(*path, index)] = item.start_mark.line + 1
            values.append(_value(item, (*path, index), lines, problems, file))
        return values
    text: str = node.value
    if getattr(node, "style", None) is None:
        return plain_value(text)
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise _Unreadable(node.start_mark.line + 1, "half of a surrogate pair")
    return text


def _mapping(
    node: yaml.MappingNode, path: Path, lines: dict[Path, int], problems: list[Problem], file: str
) -> dict[str, object]:
    found: dict[str, object] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise _Unreadable(line, "a key must be text")
        key = str(key_node.value)
        if not key.isascii() and any("\ud800" <= character <= "\udfff" for character in key):
            raise _Unreadable(line, "half of a surrogate pair")
        inner = (*path, key)
        if key in found:
            problems.append(
                Problem(
                    reason=f"written twice, first in line {lines[inner]}",
                    key=key_text(inner),
                    source=file,
                    file=file,
                    line=line,
                )
            )
            continue
        lines[inner] = line
        found[key] = _value(value_node, inner, lines, problems, file)
    return found


def key_text(path: Path) -> str:
    """Write a key's place as people do: `routing.strategies[0].provider`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if part.isprintable() and shown(part) != "(not shown)" else "(not shown)"
            text += f".{name[:60]}" if text else name[:60]
    return text


def plain_value(text: str) -> object:
    """Read an unquoted scalar as YAML 1.2 does: null, boolean, number, else text."""
    if _NULL.match(text):
        return None
    if _BOOL.match(text):
        return text.lower() == "true"
    if _INT.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    return text
