"""JSON documents in texts: read with every number's spelling kept, written without a needless byte.

Rules of this file:
- A number whose spelling an integer would lose (1.0, 1e3, -0, twenty digits) is kept as `msgspec.Raw`; so
  `write(value)` is what was read without its blanks, and without escapes that are not needed.
- What JSON readers disagree about is not read at all: duplicate keys, NaN, half surrogate pairs, trailing text, depth
  beyond 64.
- A document may stand in a known wrapping; that is kept as it came.
"""

import json
import re
from collections.abc import Callable
from typing import NoReturn, TypeAlias, cast

import msgspec

JsonObject: TypeAlias = dict[str, "JsonValue"]
JsonWhole: TypeAlias = list["JsonValue"] | JsonObject
JsonValue: TypeAlias = str | int | bool | msgspec.Raw | JsonWhole | None

MAX_DEPTH = 64
MAX_DEPTH_SENT = 256
"""As deep as what was read may get on its way to the model."""
MIN_LINES = 3

_SHORT_DIGITS = 19
_HEADING_CHARS = 200
_OPENING = ("{", "[")
_AS_ZERO = bytes(0x30 if 0x30 <= byte <= 0x39 else byte for byte in range(256))
_LONG_DIGITS = b"0" * (_SHORT_DIGITS - 1)
_SHELL = re.compile(r"<returncode>-?\d+</returncode>\n<output>\n")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SHELL_END = re.compile(r"\n?</output>\s*\Z")


class Document(msgspec.Struct, frozen=True):
    """A document and its wrapping. `is_lines`: `value` is the list of objects that stood one to a line.

    `shortest` is `value` in its shortest spelling where reading it told that already.
    """

    before: str
    value: JsonWhole
    after: str
    is_lines: bool = False
    shortest: str | None = None


def read(text: str, max_depth: int = MAX_DEPTH) -> Document | None:
    """Return the document that a text is, with its wrapping; None where it is none or readers could disagree."""
    before, body, after = _unwrapped(text)
    if body[:1] not in _OPENING:
        return None
    value, shortest = _parsed_plain(body)
    if value is not None and _is_shallow(value, body, max_depth):
        return Document(before, value, after, shortest=shortest)
    value = parse(body, max_depth)
    if value is not None:
        return Document(before, value, after)
    lines = _lines(body, max_depth)
    return None if lines is None else Document(before, lines, after, is_lines=True)


def parse(body: str, max_depth: int = MAX_DEPTH) -> JsonWhole | None:
    """Return the object or array that a text is; None where it is something else or not plain JSON."""
    try:
        value = _DECODE(body)
        if _SURROGATE.search(body) is not None:
            write(value)  # refuses half a pair
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, list | dict) or not _is_shallow(value, body, max_depth):
        return None
    return value


def write(value: JsonValue) -> str:
    """Return a value in its shortest spelling."""
    return msgspec.json.encode(value).decode()


def written(document: Document) -> str:
    """Return a document in its shortest spelling within its wrapping."""
    whole, body = document.value, document.shortest
    if body is None:
        body = "\n".join(map(write, whole)) if document.is_lines else write(whole)
    return f"{document.before}{body}{document.after}"


def _parsed_plain(body: str) -> tuple[JsonWhole | None, str]:
    """Return a document that is written as we would but for its blanks, and how; None where `parse` is to judge.

    What is written again as it came had no key twice, no number respelled and no escape: half the time for nearly all.
    """
    try:
        raw = body.encode()
        value = _PLAIN.decode(raw)
        shortest = msgspec.json.format(raw, indent=-1)
        if msgspec.json.encode(value) != shortest or _LONG_DIGITS in raw.translate(_AS_ZERO):
            return None, ""
    except (ValueError, OverflowError, RecursionError):
        return None, ""
    return cast(JsonWhole, value), shortest.decode()


def _unwrapped(text: str) -> tuple[str, str, str]:
    """Return what stands before the document, the document, what stands behind it; its own blanks are no part."""
    start, end = 0, len(text)
    shell = _SHELL.match(text)
    if shell is not None:
        # The end is looked for near the end only: the pattern may begin at any line break.
        tail = text.rfind("</output>")
        close = _SHELL_END.search(text, max(tail - 1, shell.end())) if tail >= 0 else None
        if close is None:
            return "", "", ""
        start, end = shell.end(), close.start()
    elif text[:1] not in _OPENING and not text[:1].isspace():
        heading = text.find("\n", 0, _HEADING_CHARS)
        if heading < 0:
            return "", "", ""
        start = heading + 1
    body = text[start:end].strip(" \t\n\r")
    return text[:start], body, text[end:]


def _lines(body: str, max_depth: int) -> list[JsonValue] | None:
    lines = body.split("\n")
    if len(lines) < MIN_LINES or any(line[:1] != "{" for line in lines):
        return None
    try:
        # It reads on over a line's end and refuses two to a line: as many as there are lines is one on each.
        if len(_COUNTED.decode_lines(body)) != len(lines):
            return None
    except (ValueError, RecursionError):
        return None
    whole = parse(f"[{','.join(lines)}]", max_depth)
    return whole if isinstance(whole, list) and len(whole) == len(lines) else None


def _is_shallow(value: JsonWhole, body: str, max_depth: int) -> bool:
    if body.count("{") + body.count("[") <= max_depth:
        return True
    level: list[list[JsonValue] | JsonObject] = [value]
    for _ in range(max_depth):
        below = [
            cell
            for item in level
            for cell in (item.values() if type(item) is dict else item)
            if type(cell) is dict or type(cell) is list
        ]
        if not below:
            return True
        level = below
    return False


def _object(pairs: list[tuple[str, JsonValue]]) -> JsonObject:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _integer(digits: str) -> int | msgspec.Raw:
    return int(digits) if len(digits) < _SHORT_DIGITS and digits != "-0" else msgspec.Raw(digits)


def _refused(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


_DECODE: Callable[[str], JsonValue] = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=msgspec.Raw, parse_int=_integer, parse_constant=_refused
).decode
_PLAIN = msgspec.json.Decoder(float_hook=msgspec.Raw)
_COUNTED = msgspec.json.Decoder(msgspec.Raw)
