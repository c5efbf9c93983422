"""An estimate, the same stick before and after."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpakd.tokens.estimate import estimate, estimate_body, estimate_closely, estimate_literal

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "mini-swe-agent"


def test_nothing_is_nothing() -> None:
    assert estimate("") == estimate(b"") == estimate_body(b"") == 0


@given(text=st.text(), more=st.text())
def test_more_text_is_never_less(text: str, more: str) -> None:
    assert estimate(text) <= estimate(text + more)
    assert estimate(more) <= estimate(text + more)
    assert estimate(text) == estimate(text.encode("utf-8", "surrogatepass"))
    assert (estimate(text) > 0) == bool(text)


def test_half_a_surrogate_pair_is_counted() -> None:
    assert estimate("\ud83d") == 2


@given(text=st.text())
def test_literal_counts_as_its_text(text: str) -> None:
    if text.isascii():
        assert estimate_literal(json.dumps(text).encode()) == estimate(text)


def test_broken_literal_counts_as_its_bytes() -> None:
    assert estimate_literal(rb'"\ud83d"') == estimate(rb'"\ud83d"')


def test_long_body_is_sampled_close_to_the_whole() -> None:
    body = json.dumps([{"n": number, "text": "def f(x): return x  # é"} for number in range(20_000)]).encode()
    assert estimate_body(body) == pytest.approx(estimate(body), rel=0.05)
    assert estimate_body(body[:30_000]) == estimate(body[:30_000])


@pytest.mark.skipif(not DATA.is_dir(), reason="no sample conversations beside this checkout (../shared/data)")
def test_estimate_is_near_what_a_provider_reported() -> None:
    ratios = []
    for file in sorted(DATA.glob("*.json")):
        conversation = json.loads(file.read_text(encoding="utf-8"))
        said = list(conversation["messages"])
        while said[-1]["role"] != "assistant":
            said.pop()
        texts = [message.get("content") or "" for message in said[:-1]]
        texts += [call["function"]["arguments"] for message in said[:-1] for call in message.get("tool_calls") or ()]
        ratios.append(sum(map(estimate, texts)) / conversation["usage_per_call"][-1]["prompt_tokens"])
    assert all(0.65 < ratio < 1.1 for ratio in ratios), ratios
    assert 0.75 < sum(ratios) / len(ratios) < 1.1


def test_a_long_literal_is_counted_by_windows_about_as_by_its_whole_text() -> None:
    text = "".join(f'def name_{n}(value):\n    return "{n * 7919}" + value  # line {n}\n' for n in range(400))
    sampled, whole = estimate_literal(msgspec.json.encode(text)), estimate(text)
    assert abs(sampled - whole) < 0.05 * whole


def test_where_few_tokens_decide_rules_and_indentation_count_little() -> None:
    plain = "def one(two): return three"
    assert estimate_closely(plain) == estimate(plain)
    assert estimate_closely(" " * 40 + plain) <= estimate(plain) + 1
    assert estimate_closely("=" * 80) <= 2
    assert estimate_closely("─" * 80) <= 6 < estimate("─" * 80) // 10
    assert estimate_closely("\n" * 9 + "a" * 30 + "1" * 30) == estimate("\n" * 9 + "a" * 30 + "1" * 30)
    assert estimate_closely("=" * 5_000) == estimate("=" * 5_000), "of a long text nothing depends on it"
