"""The benchmark of what compression saves runs on any folder of transcripts, and says what it misses."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.tokenpakd.replay.samples import chat, encoded, tau
from tokenpakd.exchange.request import DialectName
from tokenpakd.replay.run import Settings
from tokenpakd.tip.modes import Mode
from tokenpakd.tokens.estimate import estimate

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"


def _ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
    return subprocess.run(
        [sys.executable, str(ROOT / "bench" / "economics.py"), *arguments],
        env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip


def _rows(*arguments: str) -> list[dict[str, Any]]:
    done = _ran("--json", *arguments)
    assert done.returncode in (0, 1), done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["rows"]
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent" / "tau.json").write_bytes(encoded(tau()))
    (tmp_path / "chat.json").write_bytes(encoded(chat()))
    (tmp_path / "notes.json").write_bytes(b"{}")
    (tmp_path / "README.md").write_bytes(b"no transcript")
    return tmp_path


def test_a_folder_of_transcripts_is_measured_by_subfolder(folder: Path) -> None:
    rows = _rows("--quick", "--data", str(folder))
    for name in ("agent (coding)", f"{folder.name} (coding)"):
        for mode in ("hybrid", "aggressive"):
            for shape in ("openai", "anthropic"):
                of_case = {row["what"]: row for row in rows if row["case"] == f"{name}, {mode}, {shape}"}
                assert of_case["w1.25 r.1"]["value"] < 1
                assert of_case["prefix changes"]["value"] == 0
                assert of_case["prefix changes, restart before every 3rd"]["value"] == 0
        lossless = {row["what"]: row for row in rows if row["case"] == f"{name}, hybrid, openai"}
        assert (lossless["lossy calls"]["value"], lossless["recall, lines"]["value"]) == (0, 1)
    elsewhere = [row for row in rows if row["case"].endswith("elsewhere")]
    assert [row["value"] for row in elsewhere] == [0, 0]
    needles = [row for row in rows if row["case"] == "hybrid, needles"]
    assert len(needles) == 15
    assert all(row["value"] == 1 for row in needles)


def test_a_folder_that_is_missing_or_empty_is_no_failure(tmp_path: Path) -> None:
    for where in (tmp_path / "nowhere", tmp_path):
        done = _ran("--data", str(where))
        assert (done.returncode, "nothing measured" in done.stdout) == (0, True)


def test_a_missed_target_is_marked_and_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    from economics_table import Row, lines  # type: ignore[import-not-found]

    rows = [
        Row(case="a", series="bill", what="x", value=0.9, target=0.8),
        Row(case="a", series="bill", what="y", value=0.7, target=0.8),
        Row(case="a", what="recall", value=0.5, target=1, is_least=True, note="of 4"),
        Row(case="a", what="changes", value=0, target=0, digits=0),
        Row(case="b", what="tokens", value=3, digits=0),
    ]
    assert [row.passes for row in rows] == [False, True, False, True, None]
    text = list(lines(rows))
    assert text[0] == "\na"
    assert [line[:4] for line in text[3:]] == ["MISS", "MISS", "pass", "\nb", "    "]
    assert "0.9000!" in text[3]
    assert "0.7000 " in text[3]


def test_the_samples_beside_the_checkout_keep_their_prefixes_and_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    if not DATA.is_dir():
        pytest.skip(f"no recorded conversations at {DATA}")
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    import corpus  # type: ignore[import-not-found]

    found = corpus.load(DATA)
    assert {one.kind for one in found} == {corpus.CODING, corpus.JSON_AGENT}
    settings = Settings(mode=Mode.HYBRID, restart_every=3)
    for one in found:
        few = corpus.Corpus(one.name, one.kind, one.transcripts[:4])
        done = corpus.replayed(few, DialectName.ANTHROPIC, settings, {"estimate-1": estimate}, wants_recall=True)
        assert (done.pairs > 20, done.changes) == (True, 0)
        assert done.recall.kinds["lines"].share == 1
        raw, sent = done.arms["estimate-1"][0].tokens()
        assert sent <= raw
