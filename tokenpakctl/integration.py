"""What `integrate` would do to a client's settings: pure decisions over text, one record, one key.

The file is only ever changed at one key. Revert gives the exact bytes back while nobody else has written since;
otherwise it takes back that key alone.
"""

from __future__ import annotations

import re

from tokenpakctl import json_patch
from tokenpakctl.settings_file import Record, digest

SECTION = "env"
KEY = "ANTHROPIC_BASE_URL"

_SECRET = re.compile(
    r'("[^"\n]*(?:KEY|TOKEN|SECRET|PASSWORD|HEADER|AUTH|CREDENTIAL|COOKIE)[^"\n]*"\s*:\s*")((?:[^"\\\n]|\\.)*)',
    re.IGNORECASE,
)
_USERINFO = re.compile(r"(://)[^/@\"\s]+@")


class Change:
    """A change that has been decided but not written. `after` None: the file goes away again."""

    __slots__ = ("action", "after", "before", "previous", "record")

    def __init__(
        self, action: str, before: bytes | None, after: bytes | None, previous: str | None, record: Record | None
    ) -> None:
        self.action = action
        self.before = before
        self.after = after
        self.previous = previous
        self.record = record


def decide_apply(path: str, current: bytes | None, url: str, old: Record | None, created_folders: list[str]) -> Change:
    """Yield the change that points the client at `url`; action `already` or `apply`.

    Raises:
      NotJson: the file is not a JSON object, or `env` in it is not one.
    """
    text = _text(current)
    present = None if _is_blank(text) else json_patch.value_at(text, SECTION, KEY)
    if present == url:
        return Change("already", current, current, None, old)
    # Applied twice with another port in between: what stood there before the *first* time is what revert owes.
    origin = current if old is None else taken_back(current, old)
    origin_text = _text(origin)
    blank = _is_blank(origin_text)
    previous = None if blank else json_patch.value_at(origin_text, SECTION, KEY)
    after = json_patch.with_value(text, SECTION, KEY, url).encode("utf-8")
    record = Record(
        path=path,
        before=origin,
        after_sha256=digest(after),
        url=url,
        previous=previous,
        had_section=not blank and json_patch.has_section(origin_text, SECTION),
        created_folders=created_folders if old is None else old.created_folders,
        mode=None,
    )
    return Change("apply", current, after, present, record)


def decide_revert(current: bytes | None, url: str, record: Record | None) -> Change:
    """Yield the change that takes our key back; action `nothing`, `restore` (exact bytes) or `take_back`.

    Raises:
      NotJson: the file changed since and is not readable as JSON any more.
    """
    if record is None:
        # Our record is gone (or the value was typed by hand): a value that is exactly ours may still go.
        record = Record(
            path="",
            before=None,
            after_sha256="",
            url=url,
            previous=None,
            had_section=True,
            created_folders=[],
            mode=None,
        )
    after = taken_back(current, record)
    if after == current:
        return Change("nothing", current, current, None, record)
    exact = current is not None and digest(current) == record.after_sha256
    return Change("restore" if exact else "take_back", current, after, record.previous, record)


def taken_back(current: bytes | None, record: Record) -> bytes | None:
    """Yield the file as it would be had we never touched it; a value that is not ours stays."""
    if current is None:
        return None
    if digest(current) == record.after_sha256:
        return record.before
    text = _text(current)
    if _is_blank(text) or json_patch.value_at(text, SECTION, KEY) != record.url:
        return current
    if record.previous is not None:
        changed = json_patch.with_value(text, SECTION, KEY, record.previous)
    else:
        changed = json_patch.without_key(text, SECTION, KEY, drop_empty_section=not record.had_section)
    return changed.encode("utf-8")


def diff(path: str, before: bytes | None, after: bytes | None) -> str:
    """Yield a unified diff with the values of keys, tokens and headers masked."""
    import difflib

    old = _lines(before)
    new = _lines(after)
    before_name = "/dev/null" if before is None else path
    after_name = "/dev/null" if after is None else path
    return "".join(
        line if line.endswith("\n") else line + "\n\\ No newline at end of file\n"
        for line in difflib.unified_diff(old, new, before_name, after_name)
    )


def _lines(content: bytes | None) -> list[str]:
    """Split at line feeds only: other separators may stand inside a JSON string."""
    text = masked(_text(content))
    return [line for line in re.split(r"(?<=\n)", text) if line]


def masked(text: str) -> str:
    """Yield the text with everything that may be a credential replaced by an ellipsis."""
    return _USERINFO.sub(r"\1…@", _SECRET.sub(r"\1…", text))


def _text(content: bytes | None) -> str:
    """Decode without loss; a file that is not UTF-8 is not JSON."""
    try:
        return (content or b"").decode("utf-8")
    except UnicodeDecodeError as exc:
        raise json_patch.NotJson(f"not UTF-8 text: {exc.reason} at byte {exc.start}") from None


def url_in(content: bytes) -> str | None:
    """Yield the address that a settings file names; None when it names none.

    Raises:
      NotJson: it is not a JSON object.
    """
    text = _text(content)
    return None if _is_blank(text) else json_patch.value_at(text, SECTION, KEY)


def _is_blank(text: str) -> bool:
    return not text.strip(json_patch.BOM + " \t\r\n")
