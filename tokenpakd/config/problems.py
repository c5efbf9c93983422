"""What is wrong with a configuration, said so that the operator can put it right."""

import difflib
import re
from collections.abc import Iterable

import msgspec

_LONGEST_VALUE_SHOWN = 60
# What looks like a credential is never repeated: a key pasted into the wrong place must not end up in a log.
_LOOKS_SECRET = re.compile(
    r"sk-|AIza|gh[pousr]_|xox|Bearer|-----BEGIN|eyJ|(?=\S*\d)(?=\S*[A-Za-z])[A-Za-z0-9_+=-]{24,}"
)
_USERINFO = re.compile(r"//[^/\s]*@")


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong.

    `source` is the file, the variable or the flag it was read from; `line` counts from 1 and is None outside a
    file; `value` is text fit to be shown, None where there is none or it must not be seen.
    """

    reason: str
    key: str = ""
    source: str = ""
    file: str | None = None
    line: int | None = None
    value: str | None = None
    allowed: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        place = self.file if self.file is not None else self.source
        if self.file is not None and self.line is not None:
            place = f"{place}:{self.line}"
        subject = self.key if self.value is None else f"{self.key} = {self.value}"
        text = ": ".join(part for part in (place, subject, self.reason) if part)
        if self.allowed:
            text += f"; allowed: {self.allowed}"
        return f"{text}. {self.hint}" if self.hint else text


class ConfigError(Exception):
    """The configuration cannot be used. `problems` holds everything that was found, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def shown(value: object) -> str | None:
    """Write a value as an error may show it: one line, cut short, and never what looks like a secret."""
    if isinstance(value, dict | list | tuple):
        return None
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if _LOOKS_SECRET.search(text):
        return "(not shown)"
    text = _USERINFO.sub("//(not shown)@", text)
    if len(text) > _LONGEST_VALUE_SHOWN:
        text = text[:_LONGEST_VALUE_SHOWN] + "…"
    return text if not isinstance(value, str) else ascii(text).replace("\\u2026", "…")


def did_you_mean(word: object, known: Iterable[str]) -> str | None:
    """Suggest the nearest known word, None when nothing is near."""
    near = difflib.get_close_matches(str(word)[:100], list(known), n=1, cutoff=0.6)
    return f"Did you mean {near[0]}?" if near else None
