"""Lay the simulated prompt cache beside what a provider reported, call by call: is the bill simulator to be believed?

The recorded conversations carry the provider's own count of cached tokens for each call. They are simulated twice: with
the provider's count of each call's new tokens, and with this project's estimate of each message.
"""

import json
import sys
from itertools import pairwise
from pathlib import Path

from tokenpakd.config import cache_terms
from tokenpakd.exchange.request import DialectName
from tokenpakd.telemetry.bill import Arm
from tokenpakd.tokens.estimate import estimate

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "mini-swe-agent"
TERMS = cache_terms.load().terms_for("deepseek-chat", DialectName.OPENAI_CHAT)


def by_reported_sizes(prompts: list[int]) -> tuple[Arm, list[int]]:
    """Bill a conversation whose requests grow by what the provider says; yield the arm and each call's hit."""
    arm, blocks, hits = Arm(TERMS), [], []
    for index, (before, now) in enumerate(pairwise([0, *prompts])):
        blocks.append((index, now - before))
        hits.append(arm.bill(blocks).read_tokens)
    return arm, hits


def by_estimates(messages: list[dict]) -> Arm:
    """Bill the same requests, every message one block of estimated tokens."""
    arm, blocks = Arm(TERMS), []
    for message in messages:
        if message["role"] == "assistant":
            arm.bill(blocks)
        said = json.dumps([message.get("content"), message.get("tool_calls")], ensure_ascii=False)
        blocks.append((len(blocks), estimate(said)))
    return arm


def main() -> int:
    """Print one line per conversation and the sums; 1 where there is nothing to measure on."""
    if not DATA.is_dir():
        print(f"no recorded conversations at {DATA}")
        return 1
    tokens = simulated = estimated = reported = estimated_tokens = 0
    milli_units = reported_milli_units = 0
    ahead = level = behind = 0
    read = round(TERMS.read * 1000)
    print(f"{'conversation':44} {'calls':>5} {'simulated':>10} {'estimated':>10} {'reported':>10}")
    for file in sorted(DATA.glob("*.json")):
        recorded = json.loads(file.read_text(encoding="utf-8"))
        calls = recorded["usage_per_call"]
        arm, hits = by_reported_sizes([call["prompt_tokens"] for call in calls])
        own = by_estimates(recorded["messages"])
        said = [call["prompt_cache_hit_tokens"] for call in calls]
        share = sum(said) / arm.total_tokens
        print(f"{file.stem[-44:]:44} {len(calls):5} {arm.read_share:10.2%} {own.read_share:10.2%} {share:10.2%}")
        tokens += arm.total_tokens
        simulated += arm.read_tokens
        estimated += own.read_tokens
        estimated_tokens += own.total_tokens
        reported += sum(said)
        milli_units += arm.milli_units
        reported_milli_units += 1000 * arm.total_tokens - (1000 - read) * sum(said)
        step = TERMS.granularity_tokens
        ahead += sum(there > hit + step for hit, there in zip(hits, said, strict=True))
        behind += sum(there < hit - step for hit, there in zip(hits, said, strict=True))
        level += sum(abs(there - hit) <= step for hit, there in zip(hits, said, strict=True))
    print(f"\ncached share of {tokens:,} prompt tokens: simulated {simulated / tokens:.2%}, ", end="")
    print(f"from estimates {estimated / estimated_tokens:.2%}, reported {reported / tokens:.2%}")
    print(
        f"input bill: simulated {milli_units / 1000:,.0f} units, reported {reported_milli_units / 1000:,.0f}, ", end=""
    )
    print(f"ratio {milli_units / reported_milli_units:.3f}")
    print(f"calls where the provider found: as much (± one step) {level}, more (its own answers too) {ahead}, ", end="")
    print(f"less (the entry before was not there yet, or gone) {behind}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
