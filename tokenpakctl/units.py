"""The service files for systemd and launchd: found, filled in with this installation's tokenpakd. One template each."""

from __future__ import annotations

import os
import shutil
import sys

_PLACEHOLDER = "@EXEC@"


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


def systemd_text(text: str, executable: str) -> str:
    """Fill in a systemd unit; blanks, quotes, dollars and percent signs in the path are escaped as systemd wants."""
    escaped = executable.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    plain = escaped == executable and not any(char.isspace() or char == "'" for char in executable)
    return text.replace(_PLACEHOLDER, executable if plain else f'"{escaped}"')


def launchd_text(text: str, executable: str) -> str:
    """Fill in a property list."""
    escaped = executable.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace(_PLACEHOLDER, escaped)
