"""Service files filled in: every value escaped for the file it goes into."""

import os
import plistlib
from pathlib import Path

import pytest

from tokenpakctl import unit_templates
from tokenpakctl.unit_templates import NoTemplate

SERVICE = "# fill in @EXEC@\n[Service]\nExecStart=@EXEC@ --foreground\n"


@pytest.mark.parametrize(
    ("executable", "line"),
    [
        ("/opt/t/bin/tokenpakd", "ExecStart=/opt/t/bin/tokenpakd --foreground"),
        ("/opt/my apps/tokenpakd", 'ExecStart="/opt/my apps/tokenpakd" --foreground'),
        ("/opt/100%/$x/tokenpakd", 'ExecStart="/opt/100%%/$$x/tokenpakd" --foreground'),
    ],
)
def test_paths_are_escaped_as_systemd_wants(executable: str, line: str) -> None:
    assert line in unit_templates.systemd_text(SERVICE, {"EXEC": executable})


def test_the_daemon_is_found_beside_this_interpreter() -> None:
    found = unit_templates.daemon_executable()
    assert os.path.isabs(found)
    assert os.access(found, os.X_OK)


def test_lists_are_escaped_one_by_one_and_a_dollar_only_where_it_means_something() -> None:
    text = "ReadWritePaths=@WRITABLE@ @UNKNOWN@"
    values: dict[str, str | list[str]] = {"WRITABLE": ["/a", "/b c", "/d$e", "/f%g", '/h"i', "/j\\k", "/l'm"]}
    expected = 'ReadWritePaths=/a "/b c" "/d$e" "/f%%g" "/h\\"i" "/j\\\\k" "/l\'m" @UNKNOWN@'
    assert unit_templates.systemd_text(text, values) == expected


def test_comments_stay_and_a_value_is_not_filled_in_again() -> None:
    text = "# @A@\nX=@A@\n"
    assert unit_templates.systemd_text(text, {"A": "@B@", "B": "no"}) == "# @A@\nX=@B@\n"


def test_a_property_list_stays_one_whatever_the_path() -> None:
    text = "<!-- @EXEC@\n@EXEC@ --><plist><string>@EXEC@</string></plist>"
    filled = unit_templates.launchd_text(text, {"EXEC": "/a --> & <b>/@EXEC@"})
    assert filled.startswith("<!-- @EXEC@\n@EXEC@ -->")
    assert plistlib.loads(filled.encode(), fmt=plistlib.FMT_XML) == "/a --> & <b>/@EXEC@"


def test_the_installed_template_goes_before_the_one_of_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit_templates, "__file__", str(tmp_path / "package" / "unit_templates.py"))
    with pytest.raises(NoTemplate, match=r"t\.service is not part"):
        unit_templates.template("systemd", "t.service")
    for folder in ("systemd", "package/units"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "t.service").write_text(folder)
        assert unit_templates.template("systemd", "t.service") == folder


def test_the_daemon_is_else_the_one_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokenpakctl.unit_templates.sys.executable", str(tmp_path / "elsewhere" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoTemplate, match="neither beside this Python nor on PATH"):
        unit_templates.daemon_executable()
    found = tmp_path / "tokenpakd"
    found.write_text("#!/bin/sh\n")
    found.chmod(0o755)
    assert unit_templates.daemon_executable() == str(found)
