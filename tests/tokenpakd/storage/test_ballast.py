from pathlib import Path

import pytest

from tokenpakd.storage import ballast


def test_ballast_weighs_what_it_says_and_goes_overboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ballast, "PLENTY_BYTES", 0)
    database = tmp_path / "telemetry.db"
    assert ballast.take_ballast(database)
    found = ballast.ballast_of(database).stat()
    assert found.st_size == ballast.BALLAST_BYTES
    assert found.st_blocks * 512 >= ballast.BALLAST_BYTES, "a sparse file would free nothing"
    assert found.st_mode & 0o777 == 0o600
    assert ballast.take_ballast(database), "it lies there already"
    ballast.drop_ballast(database)
    ballast.drop_ballast(database)
    assert not ballast.ballast_of(database).exists()


def test_none_is_taken_where_room_is_scarce_or_the_folder_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ballast, "PLENTY_BYTES", 2**62)
    assert not ballast.take_ballast(tmp_path / "telemetry.db")
    monkeypatch.setattr(ballast, "PLENTY_BYTES", 0)
    assert not ballast.take_ballast(tmp_path / "nowhere" / "telemetry.db")
    assert list(tmp_path.iterdir()) == []
