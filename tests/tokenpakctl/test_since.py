"""What `--since` accepts, and what it says of the rest."""

import time
from collections.abc import Iterator

import pytest

from tokenpakctl.session import Failed
from tokenpakctl.since import since_unix_ms

NOW_S = 1_800_000_000.0


@pytest.fixture(autouse=True)
def _berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "expected_s"),
    [
        ("24h", NOW_S - 86_400),
        ("7d", NOW_S - 7 * 86_400),
        ("2W", NOW_S - 14 * 86_400),
        ("90m", NOW_S - 5400),
        ("0h", NOW_S),
        ("9" * 5000 + "d", 0),
        ("2026-03-29", 1_774_738_800),  # local midnight, the day of 23 hours
        ("2026-03-29T12:00:00", 1_774_778_400),
        ("2026-03-29 12:00+00:00", 1_774_785_600),
        ("2026-03-29T12:00Z", 1_774_785_600),
        ("1969-01-01", 0),
    ],
)
def test_names_a_moment(text: str, expected_s: float) -> None:
    assert since_unix_ms(text, now_s=NOW_S) == expected_s * 1000


@pytest.mark.parametrize("text", ["", "h", "-1d", "1.5h", "yesterday", "2026-13-01", "٣d", "24", "7 d", "3000-01-01"])
def test_refuses_the_rest_with_an_example(text: str) -> None:
    with pytest.raises(Failed) as refused:
        since_unix_ms(text, now_s=NOW_S)
    assert refused.value.exit_code == 2
    assert "--since 7d" in refused.value.hint
