"""The page of the commands is the one that the parsers give."""

from pathlib import Path

import pytest

from tokenpakctl import cli, reference

ROOT = Path(__file__).parents[2]


def test_the_reference_page_is_up_to_date() -> None:
    for name, text in reference.pages().items():
        assert (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8") == text, "run `make reference`"


def test_it_is_written_where_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / "folder"
    reference.main([str(folder)])
    assert capsys.readouterr().out == f"{folder / 'commands.md'}\n"
    text = (folder / "commands.md").read_text(encoding="utf-8")
    assert text == reference.pages()["commands.md"]
    assert text.count("\n## ") == len(cli.SUMMARIES)


def test_every_argument_has_its_row_and_says_whether_a_daemon_is_needed() -> None:
    text = reference.pages()["commands.md"]
    mode = text.partition("\n## mode\n")[2].partition("\n## ")[0]
    assert "| `MODE (strict, hybrid, aggressive)` |" in mode
    assert "| `--now` |" in mode
    assert "--json" not in mode.partition("| argument")[2]
    assert "Socket method: `mode`." in mode
    assert "Works without a daemon." in text.partition("\n## doctor\n")[2].partition("\n## ")[0]
