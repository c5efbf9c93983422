"""What a replay came to, for people and for programs."""

from collections.abc import Sequence

import msgspec

from tokenpakd.config.cache_terms import CacheTerms
from tokenpakd.replay.both_arms import Regime
from tokenpakd.replay.measure import Measured
from tokenpakd.replay.recall import Recall
from tokenpakd.tip.modes import Mode

_SHOWN = 40


def regimes(min_cacheable_tokens: int) -> tuple[Regime, ...]:
    """Return the five ways of billing that a saving is shown under; prompts below the minimum are not cached."""
    prices = (
        ("write 1.25, read 0.1", 1.25, 0.1),
        ("write 2, read 0.1", 2.0, 0.1),
        ("write 1.25, read 0.05", 1.25, 0.05),
        ("write 1.25, read 0.025", 1.25, 0.025),
    )
    cached = [
        Regime(
            name=name,
            terms=CacheTerms(write_5m=write, write_1h=write, read=read, min_cacheable_tokens=min_cacheable_tokens),
        )
        for name, write, read in prices
    ]
    return (*cached, Regime(name="uncached", terms=CacheTerms().without_cache()))


class BillLine(msgspec.Struct, frozen=True, kw_only=True):
    """One regime: units of both arms (one uncached input token is 1) and their ratio; above 1 is a loss."""

    regime: str
    write: float
    read: float
    min_cacheable_tokens: int
    raw_units: int
    sent_units: int
    ratio: float


class ConversationLine(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation; `ratio` is that of the first way of billing."""

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


def report(measured: Sequence[Measured], mode: Mode, tokenizer: str, billed_by: Sequence[Regime]) -> Report:
    """Return what a replay came to; each conversation's own ratio is that of the first way of billing."""
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
        bills=tuple(bill_line(measured, regime) for regime in billed_by),
        prefix_pairs=sum(one.prefixes.pairs for one in measured),
        prefix_changes=sum(len(one.prefixes.breaks) for one in measured),
        answers=recall.answers,
        lossy_answers=recall.lossy_answers,
        recall={kind: (count.kept, count.asked) for kind, count in recall.kinds.items()},
        conversations=tuple(
            _conversation(one, before, after, billed_by[0])
            for one, (before, after) in zip(measured, tokens, strict=True)
        ),
    )


def bill_line(measured: Sequence[Measured], regime: Regime) -> BillLine:
    """Return both arms' bill over all conversations."""
    units = [one.arms.units(regime.terms) for one in measured]
    raw, sent = sum(before for before, _ in units), sum(after for _, after in units)
    return BillLine(
        regime=regime.name,
        write=regime.terms.write_5m,
        read=regime.terms.read,
        min_cacheable_tokens=regime.terms.min_cacheable_tokens,
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
        ratio=ratio(*one.arms.units(regime.terms)),
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
