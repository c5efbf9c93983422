from pathlib import Path

import pytest

from tokenpakctl.config_file import value


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("listen: {port: 9000}", 9000),
        ("\ufefflisten:\n  port: 9000\n", 9000),
        ('{"listen": {"port": "9000"}}', "9000"),
        ("listen: {port: }", None),
        ("listen: 9000", None),
        ("port: 9000", None),
        ("- listen", None),
        ("", None),
        # Broken files: what is wrong with them is the daemon's to say.
        ("listen: {port: 9000", None),
        ("listen: {port: 2024-99-99}", None),
        ("listen: {port: !!bool maybe}", None),
        ("listen: {port: !!timestamp soon}", None),
        ("listen: {port: !!int ''}", None),
        ("listen: {port: !!python/object/apply:os.getpid []}", None),
        ("a: " + "[" * 100_000, None),
        ("\x00", None),
    ],
)
def test_yields_what_stands_at_the_key_and_nothing_of_a_broken_file(tmp_path: Path, text: str, found: object) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text, encoding="utf-8")
    assert value(file, "listen", "port") == found


def test_a_file_that_cannot_be_read_is_an_empty_one(tmp_path: Path) -> None:
    assert value(tmp_path / "missing", "mode") is None
    assert value(tmp_path, "mode") is None
    (tmp_path / "bytes").write_bytes(b"mode: \xff\xfe")
    assert value(tmp_path / "bytes", "mode") is None
