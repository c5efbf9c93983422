"""Door: a client's settings file and our record of what it was before us.

A write goes to a new file in the same folder, is flushed to disk and renamed over the old one, so a reader sees the
whole old file or the whole new one. A symbolic link is followed: dotfiles often live in a repository of their own.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
import tempfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class FileChanged(Exception):
    """Somebody else wrote the file while we were about to; nothing was written."""


class Unreadable(Exception):
    """The file cannot be read as text; the message says why."""


class Record:
    """What a settings file was before we touched it; kept under the state folder, readable by its owner only."""

    __slots__ = ("after_sha256", "before", "created_folders", "had_section", "mode", "path", "previous", "url")

    def __init__(
        self,
        *,
        path: str,
        before: bytes | None,
        after_sha256: str,
        url: str,
        previous: str | None,
        had_section: bool,
        created_folders: list[str],
        mode: int | None,
    ) -> None:
        self.path = path
        self.before = before
        self.after_sha256 = after_sha256
        self.url = url
        self.previous = previous
        self.had_section = had_section
        self.created_folders = created_folders
        self.mode = mode

    def to_json(self) -> str:
        fields: dict[str, object] = {name: getattr(self, name) for name in self.__slots__ if name != "before"}
        fields["before_base64"] = None if self.before is None else base64.b64encode(self.before).decode()
        return json.dumps(fields, indent=2) + "\n"


def claude_code(environ: Mapping[str, str]) -> str:
    """Yield the path of Claude Code's user settings."""
    folder = environ.get("CLAUDE_CONFIG_DIR")
    folder = folder or os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".claude")
    return os.path.join(os.path.abspath(folder), "settings.json")


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read(path: str) -> bytes | None:
    """Yield the file's bytes; None when there is no such file.

    Raises:
      Unreadable: it is a folder or a pipe, or may not be read.
    """
    try:
        # Without waiting: nobody may ever write to a pipe that lies there.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
                raise Unreadable(f"{path} is a pipe, not a file")
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        raise Unreadable(f"{path} cannot be read: {exc.strerror}") from exc


def missing_folders(path: str) -> list[str]:
    """Yield the folders above `path` that do not exist yet, outermost first."""
    missing: list[str] = []
    folder = os.path.dirname(path)
    while folder and not os.path.isdir(folder):
        missing.insert(0, folder)
        folder = os.path.dirname(folder)
    return missing


def make_folder(folder: str) -> None:
    """Make a folder and those above it, each its owner's alone; one that is there stays as it is."""
    for missing in missing_folders(os.path.join(folder, "")):
        os.mkdir(missing, 0o700)


def write(path: str, content: bytes, *, expected: bytes | None, mode: int | None = None) -> None:
    """Replace the file in one step, keeping its mode bits and owner; a new file is its owner's alone.

    Raises:
      FileChanged: the file no longer holds `expected`.
      OSError: the folder or the disk refuses.
    """
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    make_folder(folder)
    before: os.stat_result | None = None
    if os.path.exists(target):
        before = os.stat(target)
        mode = stat.S_IMODE(before.st_mode)
    descriptor, temporary = tempfile.mkstemp(prefix=".tokenpak-", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if before is not None and (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
            os.fchmod(file.fileno(), 0o600 if mode is None else mode)
            os.fsync(file.fileno())
        if read(target) != expected:
            raise FileChanged(f"{path} was changed by somebody else just now; nothing was written")
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync_folder(folder)


def remove(path: str, *, expected: bytes, created_folders: list[str]) -> None:
    """Delete a file that we created, and the folders we created for it where they are empty."""
    if read(path) != expected:
        raise FileChanged(f"{path} was changed by somebody else just now; nothing was removed")
    os.unlink(os.path.realpath(path))
    for folder in reversed(created_folders):
        try:
            os.rmdir(folder)
        except OSError:
            return


def record_path(state_folder: str, client: str, path: str) -> str:
    """Yield where the record of this file lives: one per settings file, so that two config folders do not mix."""
    return os.path.join(state_folder, "integrations", f"{client}-{digest(os.fsencode(path))[:12]}.json")


def load_record(path: str) -> Record | None:
    """Yield the record, or None when there is none or it is not one of ours."""
    content = read(path)
    if content is None:
        return None
    try:
        fields: object = json.loads(content)
        if not isinstance(fields, dict):
            return None
        encoded = fields["before_base64"]
        return Record(
            path=str(fields["path"]),
            before=None if encoded is None else base64.b64decode(encoded, validate=True),
            after_sha256=str(fields["after_sha256"]),
            url=str(fields["url"]),
            previous=None if fields["previous"] is None else str(fields["previous"]),
            had_section=bool(fields["had_section"]),
            created_folders=[str(folder) for folder in fields["created_folders"]],
            mode=None if fields["mode"] is None else int(fields["mode"]),
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def save_record(path: str, record: Record) -> None:
    """Write the record, 0600 in a 0700 folder, before the settings file itself is touched."""
    write(path, record.to_json().encode(), expected=read(path), mode=0o600)


def forget_record(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
