"""What a replay came to, for people and for programs."""

from collections.abc import Sequence

import msgspec

from tokenpakd.replay.both_arms import Regime
from tokenpakd.replay.measure import Measured
from tokenpakd.replay.recall import Recall
from tokenpakd.tip.modes import Mode

MINIMUM_TOKENS = 1024
REGIMES = (
    Regime(name="5 min cache (write 1.25, read 0.1)", write=1.25, read=0.1, minimum_tokens=MINIMUM_TOKENS),
    Regime(name="1 h cache (write 2, read 0.1)", write=2.0, read=0.1, minimum_tokens=MINIMUM_TOKENS),
    Regime(name="write 1.25, read 0.05", write=1.25, read=0.05, minimum_tokens=MINIMUM_TOKENS),
    Regime(name="write 1.25, read 0.025", write=1.25, read=0.025, minimum_tokens=MINIMUM_TOKENS),
    Regime(name="uncached", write=1.0, read=1.0, minimum_tokens=0),
)
_SHOWN = 40


class BillLine(msgspec.Struct, frozen=True, kw_only=True):
    """One regime: units of both arms (one uncached input token is 1) and their ratio; above 1 is a loss."""

    regime: str
    write: float
    read: float
    minimum_tokens: int
    raw_units: int
    sent_units: int
    ratio: float


class ConversationLine(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation; `ratio` in the first regime."""

    name: str
    requests: int
    spans: int
    replaced: int
    raw_tokens: int
    sent_tokens: int
    ratio: float
    prefix_changes: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A replay. Tokens are those of the longest request of each conversation, counted once."""

    mode: str
    tokenizer: str
    requests: int
    raw_tokens: int
    sent_tokens: int
    removed_tokens: int
    bills: tuple[BillLine, ...]
    prefix_pairs: int
    prefix_changes: int
    answers: int
    lossy_answers: int
    recall: dict[str, tuple[int, int]]
    conversations: tuple[ConversationLine, ...]


def report(measured: Sequence[Measured], mode: Mode, tokenizer: str, regimes: Sequence[Regime] = REGIMES) -> Report:
    """Return what a replay came to."""
    tokens = [one.arms.tokens() for one in measured]
    recall = Recall()
    for one in measured:
        recall.add(one.recall.recall)
    raw, sent = sum(before for before, _ in tokens), sum(after for _, after in tokens)
    return Report(
        mode=mode.value,
        tokenizer=tokenizer,
        requests=sum(one.requests for one in measured),
        raw_tokens=raw,
        sent_tokens=sent,
        removed_tokens=raw - sent,
        bills=tuple(bill_line(measured, regime) for regime in regimes),
        prefix_pairs=sum(one.prefixes.pairs for one in measured),
        prefix_changes=sum(len(one.prefixes.breaks) for one in measured),
        answers=recall.answers,
        lossy_answers=recall.lossy_answers,
        recall={kind: (count.kept, count.asked) for kind, count in recall.kinds.items()},
        conversations=tuple(
            _conversation(one, before, after, regimes[0]) for one, (before, after) in zip(measured, tokens, strict=True)
        ),
    )


def bill_line(measured: Sequence[Measured], regime: Regime) -> BillLine:
    """Return both arms' bill over all conversations."""
    units = [one.arms.units(regime) for one in measured]
    raw, sent = sum(before for before, _ in units), sum(after for _, after in units)
    return BillLine(
        regime=regime.name,
        write=regime.write,
        read=regime.read,
        minimum_tokens=regime.minimum_tokens,
        raw_units=round(raw),
        sent_units=round(sent),
        ratio=ratio(raw, sent),
    )


def ratio(raw: float, sent: float) -> float:
    """Return the sent arm's share of the raw one; 1 where there was nothing to pay."""
    return sent / raw if raw else 1.0


def table(found: Report) -> str:
    """Return the report as text."""
    shown = [("tokens (each conversation once)", found.raw_tokens, found.sent_tokens)]
    shown += [(f"bill, {line.regime}", line.raw_units, line.sent_units) for line in found.bills]
    width = max(len(name) for name, _, _ in shown)
    asked = f"{found.requests:,} requests of {len(found.conversations):,} conversations"
    lines = [
        f"{asked}, mode {found.mode}; tokens by {found.tokenizer}",
        "",
        f"{'':<{width}}  {'as it came':>14}  {'as sent':>14}  {'change':>8}",
        *(
            f"{name:<{width}}  {raw:>14,}  {sent:>14,}  {(ratio(raw, sent) - 1) * 100:>+7.2f}%"
            for name, raw, sent in shown
        ),
        "",
        "A unit is one uncached input token; provider caches are simulated, output is not in the bill.",
        f"prefixes: {found.prefix_changes:,} changes in {found.prefix_pairs:,} pairs of requests",
        f"recall: {found.answers:,} answers, {found.lossy_answers:,} of them lost a reference; "
        + ", ".join(f"{kind} {kept:,}/{asked:,}" for kind, (kept, asked) in found.recall.items()),
    ]
    if len(found.conversations) > 1:
        lines += ["", *_conversation_lines(found.conversations)]
    return "\n".join(lines)


def _conversation(one: Measured, raw_tokens: int, sent_tokens: int, regime: Regime) -> ConversationLine:
    return ConversationLine(
        name=one.name,
        requests=one.requests,
        spans=one.spans,
        replaced=one.replaced,
        raw_tokens=raw_tokens,
        sent_tokens=sent_tokens,
        ratio=ratio(*one.arms.units(regime)),
        prefix_changes=len(one.prefixes.breaks),
    )


def _conversation_lines(found: Sequence[ConversationLine]) -> list[str]:
    width = max(len(one.name) for one in found[:_SHOWN])
    lines = [
        f"{one.name:<{width}}  {one.requests:>4} requests  {one.raw_tokens:>9,} -> {one.sent_tokens:>9,} tokens  "
        f"bill {one.ratio:.3f}  {one.replaced}/{one.spans} spans"
        for one in found[:_SHOWN]
    ]
    return lines + ([f"and {len(found) - _SHOWN:,} more (--json lists all)"] if len(found) > _SHOWN else [])
