"""The file on disk: whole or not at all, with the mode it had; and the record of what it was."""

import json
import os
import stat
from pathlib import Path

import pytest

from tokenpakctl import settings_file
from tokenpakctl.settings_file import FileChanged, Record, Unreadable

RECORD = {
    "path": "/s.json", "before": b"\xff{}", "after_sha256": "00", "url": "u", "previous": None, "had_section": True,
    "created_folders": ["/a", "/a/b"], "mode": 0o640,
}  # fmt: skip


def _record(**changes: object) -> Record:
    return Record(**{**RECORD, **changes})  # type: ignore[arg-type]


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664])
def test_a_file_that_was_there_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(b"old")
    path.chmod(mode)
    settings_file.write(str(path), b"new", expected=b"old", mode=0o600)
    assert (path.read_bytes(), _mode(path), os.listdir(tmp_path)) == (b"new", mode, ["s.json"])


@pytest.mark.parametrize(("mode", "given"), [(None, 0o600), (0o640, 0o640)])
def test_a_new_file_and_its_folders_are_their_owners_alone(tmp_path: Path, mode: int | None, given: int) -> None:
    path = tmp_path / "a" / "b" / "s.json"
    before = os.umask(0)
    try:
        settings_file.write(str(path), b"new", expected=None, mode=mode)
    finally:
        os.umask(before)
    assert (_mode(path), _mode(path.parent), _mode(path.parent.parent)) == (given, 0o700, 0o700)


@pytest.mark.parametrize(("found", "expected"), [(b"theirs", b"old"), (b"theirs", None), (None, b"old")])
def test_what_somebody_else_wrote_is_left_alone(tmp_path: Path, found: bytes | None, expected: bytes | None) -> None:
    path = tmp_path / "s.json"
    if found is not None:
        path.write_bytes(found)
    with pytest.raises(FileChanged, match="changed by somebody else"):
        settings_file.write(str(path), b"new", expected=expected)
    assert settings_file.read(str(path)) == found
    assert os.listdir(tmp_path) == ([] if found is None else ["s.json"])  # and no half-written file


def test_a_disk_that_fails_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tokenpakctl.settings_file.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        settings_file.write(str(path), b"new", expected=b"old")
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"old", ["s.json"])


def test_a_link_to_nothing_yet_is_followed(tmp_path: Path) -> None:
    link, target = tmp_path / "s.json", tmp_path / "dotfiles" / "s.json"
    link.symlink_to(target)
    settings_file.write(str(link), b"new", expected=None)
    assert (link.is_symlink(), target.read_bytes()) == (True, b"new")


def test_reading_tells_missing_from_unreadable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    assert settings_file.read(str(tmp_path / "missing")) is None
    assert settings_file.read(str(tmp_path / "file" / "below")) is None
    with pytest.raises(Unreadable, match="Is a directory"):
        settings_file.read(str(tmp_path))


def test_removing_takes_the_folders_that_are_empty_then_and_no_other(tmp_path: Path) -> None:
    outer, inner = tmp_path / "a", tmp_path / "a" / "b"
    created = settings_file.missing_folders(str(inner / "s.json"))
    assert created == [str(outer), str(inner)]
    settings_file.write(str(inner / "s.json"), b"x", expected=None)
    with pytest.raises(FileChanged, match="nothing was removed"):
        settings_file.remove(str(inner / "s.json"), expected=b"y", created_folders=created)
    (outer / "theirs").write_bytes(b"")
    settings_file.remove(str(inner / "s.json"), expected=b"x", created_folders=created)
    assert os.listdir(outer) == ["theirs"]


@pytest.mark.parametrize(
    "changes", [{}, {"before": None, "previous": "https://gw", "mode": None, "created_folders": []}]
)
def test_a_record_comes_back_as_it_went(tmp_path: Path, changes: dict[str, object]) -> None:
    path = settings_file.record_path(str(tmp_path), "claude-code", "/s.json")
    settings_file.save_record(path, _record(**changes))
    found = settings_file.load_record(path)
    assert found is not None
    assert {name: getattr(found, name) for name in Record.__slots__} == {**RECORD, **changes}
    assert (_mode(Path(path)), _mode(Path(path).parent)) == (0o600, 0o700)
    settings_file.save_record(path, _record(url="again"))
    settings_file.forget_record(path)
    settings_file.forget_record(path)
    assert settings_file.load_record(path) is None


def test_two_settings_files_have_two_records() -> None:
    paths = {settings_file.record_path("/s", "claude-code", path) for path in ("/a", "/b", "/\udcff")}
    assert len(paths) == 3


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", "null", "\ufffd", '{"a":' + "[" * 100_000,
        *(json.dumps({**json.loads(_record().to_json()), **odd}) for odd in (
            {"before_base64": "?"}, {"before_base64": 5}, {"mode": "x"}, {"mode": float("inf")},
            {"created_folders": None},
        )),
    ],
)  # fmt: skip
def test_what_is_no_record_of_ours_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "r").write_text(text)
    assert settings_file.load_record(str(tmp_path / "r")) is None


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"HOME": "/h"}, "/h/.claude/settings.json"),
        ({"HOME": "/h", "CLAUDE_CONFIG_DIR": "/c"}, "/c/settings.json"),
        ({"HOME": "/h", "CLAUDE_CONFIG_DIR": ""}, "/h/.claude/settings.json"),
    ],
)
def test_the_clients_own_variable_goes_first(environ: dict[str, str], path: str) -> None:
    assert settings_file.claude_code(environ) == path
