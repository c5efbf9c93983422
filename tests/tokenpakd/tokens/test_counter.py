"""Counters: the estimate always, vocabularies where the extra is installed, and never a crash for a figure."""

import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpakd.tokens import counter as counters
from tokenpakd.tokens.counter import CounterMissing, Vocabulary, counter, is_installed
from tokenpakd.tokens.estimate import estimate

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "mini-swe-agent"
needs_extra = pytest.mark.skipif(not is_installed(), reason="the extra `tokens` is not installed")


class Words:
    """Counts blanks and letters that begin a line, as a vocabulary does; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def count(self, text: str, /) -> int:
        self.asked.append(text)
        text.encode()
        return sum(mark == " " for mark in text)


class PanicException(BaseException):
    """As the extension's own, which cannot be imported."""


class Raising:
    def __init__(self, exc: BaseException) -> None:
        self.exc = exc

    def count(self, text: str, /) -> int:
        raise self.exc


@given(text=st.text())
def test_the_estimate_is_a_counter_by_its_own_name(text: str) -> None:
    found = counter("estimate-1")
    found.load()
    assert (found.name, found.count(text)) == ("estimate-1", estimate(text))


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("a" * 1000, 244), ("7" * 1000, 700), (" " * 1000, 105), ("é" * 500, 450), ("{" * 1000, 462)],
)
def test_the_estimate_under_this_name_is_frozen(text: str, tokens: int) -> None:
    assert counter("estimate-1").count(text) == tokens


def test_an_unknown_name_names_the_known_ones() -> None:
    with pytest.raises(CounterMissing, match="estimate-1, o200k, cl100k"):
        counter("p50k")


def test_without_the_extra_its_counters_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "EXTRA_MODULE", "no_such_module_here")
    assert not is_installed()
    with pytest.raises(CounterMissing, match=r"pip install 'tokenpak\[tokens\]'"):
        counter("o200k")
    with pytest.raises(CounterMissing, match=r"pip install 'tokenpak\[tokens\]'"):
        Vocabulary("o200k").load()


def test_an_extra_that_cannot_be_loaded_is_missing_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "broken_extra"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemError('the package itself is never run')")
    (package / "_bindings.py").write_text("raise OSError('wrong architecture')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(counters, "EXTRA_MODULE", "broken_extra")
    with pytest.raises(CounterMissing, match="cannot be loaded"):
        counter("o200k").count("text")


def test_asking_for_a_counter_loads_nothing() -> None:
    source = (
        "import sys; from tokenpakd.tokens import counter\n"
        "if counter.is_installed(): counter.counter('o200k')\n"
        "print(sorted(name for name in sys.modules if name.startswith('bpe')))"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@given(st.lists(st.sampled_from(["word ", "x", "\n", "  ", "漢", "a b", "9" * 300, "z" * 5000]), max_size=60))
def test_pieces_are_the_text_and_end_where_a_token_begins(parts: list[str]) -> None:
    text = "".join(parts) * 12
    pieces = counters._pieces(text)
    assert "".join(pieces) == text
    assert all(0 < len(piece) <= 65_536 for piece in pieces) or pieces == [""]
    assert all(len(piece) > 61_000 for piece in pieces[:-1])


def test_a_giant_is_counted_in_pieces_once() -> None:
    words = Words()
    text = "some words here " * 20_000
    vocabulary = Vocabulary("o200k", words)
    assert vocabulary.count(text) == vocabulary.count("".join(list(text))) == 60_000
    assert len(words.asked) == 6
    assert all(piece.startswith((" ", "some")) for piece in words.asked)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "_MOST_REMEMBERED", 4)
    vocabulary = Vocabulary("o200k", Words())
    for index in range(50):
        assert vocabulary.count(f"{index} " * 200) == 200
        assert len(vocabulary._remembered) <= 4


def test_half_a_surrogate_pair_is_counted_and_a_whole_one_joined() -> None:
    words = Words()
    assert Vocabulary("o200k", words).count("a \ud83d b") == 2
    assert Vocabulary("o200k", words).count("\ud83d\ude00") == 0
    assert words.asked[1::2] == ["a \ufffd b", "\U0001f600"]
    assert Vocabulary("o200k", words).count("a \ud83d " * 100) == 200


def test_a_panic_of_the_extension_costs_precision_and_nothing_else() -> None:
    assert Vocabulary("o200k", Raising(PanicException("boom"))).count("some text") == estimate("some text")
    with pytest.raises(KeyboardInterrupt):
        Vocabulary("o200k", Raising(KeyboardInterrupt())).count("some text")


@needs_extra
@pytest.mark.parametrize(
    ("name", "text", "tokens"),
    [
        ("o200k", "hello world", 2),
        ("cl100k", "hello world", 2),
        ("o200k", "", 0),
        ("o200k", "<|endoftext|>", 7),
        ("o200k", "漢字かな", 3),
        ("o200k", "\ud83d", 1),
        ("cl100k", "\0", 1),
    ],
)
def test_vocabularies_count_as_published(name: str, text: str, tokens: int) -> None:
    assert counter(name).count(text) == tokens


@needs_extra
@pytest.mark.parametrize("name", ["o200k", "cl100k"])
@pytest.mark.parametrize("unit", ["a", " ", "^", "\n", "漢", "ab", "\0", "\u0301", "1", " a", "'s", "\r\n"])
def test_time_grows_with_the_text_and_no_faster(name: str, unit: str) -> None:
    vocabulary = counter(name)
    vocabulary.load()
    text = unit * (1_000_000 // len(unit))
    started_s = time.process_time()
    assert vocabulary.count(text) > 0
    assert time.process_time() - started_s < 1  # 0.1 measured; a quadratic one takes minutes


@needs_extra
@pytest.mark.skipif(not DATA.is_dir(), reason="no sample conversations beside this checkout (../shared/data)")
@pytest.mark.parametrize("name", ["o200k", "cl100k"])
def test_a_cut_where_a_token_begins_costs_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "_PIECE_CHARS", 6000)
    vocabulary = Vocabulary(name)
    for file in sorted(DATA.glob("*.json"))[:6]:
        messages = json.loads(file.read_text(encoding="utf-8"))["messages"]
        text = "\n".join(message.get("content") or "" for message in messages)
        assert len(counters._pieces(text)) > 5
        assert vocabulary.count(text) == vocabulary._counted(text)


def test_the_extra_is_named_where_doctor_looks_for_it() -> None:
    checks = importlib.util.find_spec("tokenpakctl.checks")
    assert checks is not None
    assert checks.origin is not None
    assert f'"{counters.EXTRA_MODULE}"' in Path(checks.origin).read_text(encoding="utf-8")
