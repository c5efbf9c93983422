"""The generated pages are those of this schema."""

from pathlib import Path

import pytest

from tokenpakd.config.reference import main, pages

_REFERENCE = Path(__file__).parents[3] / "docs" / "reference"


@pytest.mark.parametrize("name", pages())
def test_page_is_up_to_date(name: str) -> None:
    assert (_REFERENCE / name).read_text(encoding="utf-8") == pages()[name], "run `make reference`"


def test_writes_the_pages_where_asked(tmp_path: Path) -> None:
    main([str(tmp_path / "new")])
    assert {file.name for file in (tmp_path / "new").iterdir()} == set(pages())
