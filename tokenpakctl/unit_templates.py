"""The service files for systemd and launchd: found, and filled in with this installation's paths and ports."""

from __future__ import annotations

import os
import re
import shutil
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SYSTEMD_UNITS = ("tokenpakd.service", "tokenpakd.socket", "tokenpakd-ws.socket")
LAUNCHD_LABEL = "ai.tokenpak.tokenpakd"


class NoTemplate(Exception):
    """The template is missing, or tokenpakd is not installed as a command."""


def template(folder: str, name: str) -> str:
    """Yield a template: from the installed package, else from the checkout this runs in.

    Raises:
      NoTemplate.
    """
    here = os.path.dirname(os.path.abspath(__file__))
    for path in (os.path.join(here, "units", name), os.path.join(os.path.dirname(here), folder, name)):
        try:
            with open(path, encoding="utf-8") as file:
                return file.read()
        except OSError:
            continue
    raise NoTemplate(f"the template {name} is not part of this installation")


def stop_command(manager: str) -> list[str]:
    """Yield the command after which systemd or launchd leaves the daemon stopped until the next login."""
    if manager == "launchd":
        return ["launchctl", "bootout", f"gui/{os.getuid()}/{LAUNCHD_LABEL}"]
    return ["systemctl", "--user", "stop", *SYSTEMD_UNITS]


def daemon_executable() -> str:
    """Yield the absolute path of the tokenpakd command beside this interpreter, else the one on PATH.

    Raises:
      NoTemplate: there is none.
    """
    beside = os.path.join(os.path.dirname(os.path.abspath(sys.executable)), "tokenpakd")
    found = beside if os.access(beside, os.X_OK) else shutil.which("tokenpakd")
    if found is None:
        raise NoTemplate("the command tokenpakd is neither beside this Python nor on PATH")
    return os.path.abspath(found)


def systemd_text(text: str, values: Mapping[str, str | list[str]]) -> str:
    """Fill in a systemd unit; blanks, quotes, dollars and percent signs are escaped as systemd wants. Comments stay."""
    lines = []
    for line in text.split("\n"):
        escape = _for_systemd_command if line.startswith("Exec") else _for_systemd
        lines.append(line if line.startswith("#") else _filled(line, values, escape))
    return "\n".join(lines)


def launchd_text(text: str, values: Mapping[str, str | list[str]]) -> str:
    """Fill in a property list; comments stay as they are: a path could hold what ends one."""
    parts = re.split(r"(<!--.*?-->)", text, flags=re.DOTALL)
    return "".join(part if part.startswith("<!--") else _filled(part, values, _for_xml) for part in parts)


def _filled(text: str, values: Mapping[str, str | list[str]], escape: Callable[[str], str]) -> str:
    """Put values in; those that are lists are escaped one by one and set side by side."""

    def value_of(match: re.Match[str]) -> str:
        value = values.get(match[1], match[0])
        return escape(value) if isinstance(value, str) else " ".join(map(escape, value))

    return re.sub("@([A-Z_]+)@", value_of, text)


def _for_systemd(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    is_plain = escaped == value and not any(char.isspace() or char in "'$" for char in value)
    return value if is_plain else f'"{escaped}"'


def _for_systemd_command(value: str) -> str:
    """In command lines alone a dollar sign begins a variable."""
    return _for_systemd(value).replace("$", "$$")


def _for_xml(value: str) -> str:
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
