"""Change one string inside a JSON text and leave every other byte as it is. Pure.

A settings file belongs to its owner: it is read to find offsets and spliced to change, never loaded and dumped.
Where a key stands twice in one object the last one counts, as it does for every reader of JSON in use.
"""

from __future__ import annotations

import json

BOM = "\ufeff"
_WHITESPACE = " \t\n\r"


class NotJson(Exception):
    """The text is not a JSON object, or the place to change is not an object: nothing may be written."""


class _Member:
    """One member of an object, as offsets into the text."""

    __slots__ = ("colon", "key", "key_start", "lead", "value_end", "value_start")

    def __init__(self, key: str, *, lead: str, key_start: int, colon: str, value_start: int, value_end: int) -> None:
        self.key = key
        self.lead = lead
        self.key_start = key_start
        self.colon = colon
        self.value_start = value_start
        self.value_end = value_end


class _Object:
    """An object of the text: the offset of its `{`, of its `}`, and its members in order."""

    __slots__ = ("close", "members", "open")

    def __init__(self, opening: int, close: int, members: list[_Member]) -> None:
        self.open = opening
        self.close = close
        self.members = members

    def last(self, key: str) -> int | None:
        """Yield the index of the member that counts for `key`."""
        for index in range(len(self.members) - 1, -1, -1):
            if self.members[index].key == key:
                return index
        return None


def value_at(text: str, section: str, key: str) -> str | None:
    """Yield the string at `section.key`; None when either is absent.

    Raises:
      NotJson: the text is not an object, the section is not one, or the value is not a string.
    """
    root = _root(text)
    found = _section(text, root, section)
    if found is None:
        return None
    index = found.last(key)
    if index is None:
        return None
    value: object = json.loads(text[found.members[index].value_start : found.members[index].value_end])
    if not isinstance(value, str):
        raise NotJson(f'"{section}"."{key}" is not a string')
    return value


def has_section(text: str, section: str) -> bool:
    """Yield whether the object has a member `section`."""
    return _root(text).last(section) is not None


def with_value(text: str, section: str, key: str, value: str) -> str:
    """Yield the text with `section.key` set to `value`, laid out as its neighbours are.

    Raises:
      NotJson: as for `value_at`.
    """
    if not text.strip(BOM + _WHITESPACE):
        head = BOM if text.startswith(BOM) else ""
        return head + _fresh(section, key, value, "\r\n" if "\r\n" in text else "\n")
    root = _root(text)
    found = _section(text, root, section)
    newline = "\r\n" if "\r\n" in text else "\n"
    if found is None:
        return _insert_section(text, root, section, key, value, newline)
    index = found.last(key)
    if index is not None:
        member = found.members[index]
        return text[: member.value_start] + json.dumps(value) + text[member.value_end :]
    if found.members:
        return _append(text, found, json.dumps(key), json.dumps(value))
    at = root.last(section)
    assert at is not None
    lead = root.members[at].lead
    if "\n" not in lead:
        return text[: found.open + 1] + f"{json.dumps(key)}: {json.dumps(value)}" + text[found.close :]
    outer = lead[lead.rindex("\n") + 1 :]
    inner = f"{newline}{outer}{_unit(outer)}{json.dumps(key)}: {json.dumps(value)}{newline}{outer}"
    return text[: found.open + 1] + inner + text[found.close :]


def without_key(text: str, section: str, key: str, *, drop_empty_section: bool) -> str:
    """Yield the text without `section.key`, and without the section if that leaves it empty and it is ours.

    Raises:
      NotJson: as for `value_at`.
    """
    root = _root(text)
    found = _section(text, root, section)
    index = None if found is None else found.last(key)
    if found is None or index is None:
        return text
    if drop_empty_section and len(found.members) == 1:
        at = root.last(section)
        assert at is not None
        return _delete(text, root, at)
    return _delete(text, found, index)


def _root(text: str) -> _Object:
    body = text.removeprefix(BOM)
    try:
        whole: object = json.loads(body, parse_constant=_refuse_constant)
    except RecursionError:
        raise NotJson("nested too deeply") from None
    except ValueError as exc:
        raise NotJson(str(exc)) from None
    if not isinstance(whole, dict):
        raise NotJson("the file is not a JSON object")
    start = len(text) - len(body)
    while text[start] in _WHITESPACE:
        start += 1
    return _scan(text, start)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _scan(text: str, opening: int) -> _Object:
    """Read the members of a valid object; values are skipped by the JSON decoder itself, so offsets are exact."""
    decoder = json.JSONDecoder()
    members: list[_Member] = []
    lead_start = opening + 1
    at = _skip(text, lead_start)
    while text[at] != "}":
        key_start = at
        key, key_end = decoder.raw_decode(text, at)
        value_start = _skip(text, _skip(text, key_end) + 1)
        _, value_end = decoder.raw_decode(text, value_start)
        members.append(
            _Member(
                str(key),
                lead=text[lead_start:key_start],
                key_start=key_start,
                colon=text[key_end:value_start],
                value_start=value_start,
                value_end=value_end,
            )
        )
        at = _skip(text, value_end)
        if text[at] == ",":
            lead_start = at + 1
            at = _skip(text, lead_start)
    return _Object(opening, at, members)


def _skip(text: str, at: int) -> int:
    while text[at] in _WHITESPACE:
        at += 1
    return at


def _section(text: str, root: _Object, section: str) -> _Object | None:
    index = root.last(section)
    if index is None:
        return None
    start = root.members[index].value_start
    if text[start] != "{":
        raise NotJson(f'"{section}" is not an object')
    return _scan(text, start)


def _append(text: str, parent: _Object, key: str, value: str) -> str:
    """Add a member after the last one, copying that one's indentation and colon."""
    last = parent.members[-1]
    lead = last.lead
    if not lead and len(parent.members) == 1 and last.colon.endswith(" "):
        lead = " "
    return text[: last.value_end] + "," + lead + key + last.colon + value + text[last.value_end :]


def _insert_section(text: str, root: _Object, section: str, key: str, value: str, newline: str) -> str:
    if not root.members:
        return text[: root.open] + _fresh(section, key, value, newline, end="") + text[root.close + 1 :]
    last = root.members[-1]
    if "\n" not in last.lead:
        space = " " if last.colon.endswith(" ") else ""
        return _append(text, root, json.dumps(section), "{" + f"{json.dumps(key)}:{space}{json.dumps(value)}" + "}")
    outer = last.lead[last.lead.rindex("\n") + 1 :]
    inner = f"{newline}{outer}{_unit(outer)}{json.dumps(key)}{last.colon}{json.dumps(value)}{newline}{outer}"
    return _append(text, root, json.dumps(section), "{" + inner + "}")


def _fresh(section: str, key: str, value: str, newline: str, end: str | None = None) -> str:
    lines = ("{", f"  {json.dumps(section)}: {{", f"    {json.dumps(key)}: {json.dumps(value)}", "  }", "}")
    return newline.join(lines) + (newline if end is None else end)


def _unit(outer: str) -> str:
    """Yield one step of indentation: members of the outermost object stand exactly one step in."""
    return outer or "  "


def _delete(text: str, parent: _Object, index: int) -> str:
    member = parent.members[index]
    if index > 0:
        return text[: parent.members[index - 1].value_end] + text[member.value_end :]
    if len(parent.members) > 1:
        return text[: member.key_start] + text[parent.members[1].key_start :]
    return text[: parent.open + 1] + text[parent.close :]
