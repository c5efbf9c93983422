#!/usr/bin/env python3
"""What masking stale tool results saves and loses, on recorded coding conversations, beside the same without it.

    python bench/masking.py [--data DIR] [--mode hybrid|aggressive] [--pause-every N]

DIR holds transcripts as `tokenpakctl replay` reads them; without it the samples beside the checkout are taken
(../shared/data/mini-swe-agent). Provider caches are simulated; a unit is one uncached input token.
"""

import argparse
import functools
import sys
from collections.abc import Sequence
from pathlib import Path

import corpus as corpora
import msgspec
from corpus import SHAPES

from tokenpakd.compression import engine, masking, splice
from tokenpakd.compression.conversation import Conversation
from tokenpakd.config.cache_terms import CacheTerms
from tokenpakd.exchange.request import DialectName
from tokenpakd.replay import measure, run
from tokenpakd.replay.both_arms import ArmsWatch, Counter, Regime
from tokenpakd.replay.conversation import Transcript
from tokenpakd.replay.recall import Recall, RecallWatch
from tokenpakd.replay.report import regimes
from tokenpakd.tip.modes import Mode
from tokenpakd.tokens.counter import CounterMissing, counter

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "mini-swe-agent"
MINIMUM_TOKENS = 1024
PAUSE_S = 400.0
"""Longer than a cache lives (300 s) by more than the margin that masking keeps."""
_LOST_S = 1e9
"""A pause that nothing outlives: the provider finds no entry at all after a raise."""


class Masked(msgspec.Struct, kw_only=True):
    """One conversation in one regime: against the client's own requests and against what goes out unmasked."""

    against_raw: ArmsWatch
    against_plain: ArmsWatch
    idle_s: list[float]
    raises: list[int]
    recall: Recall


class Sums(msgspec.Struct, kw_only=True):
    """All conversations of one regime, in units. `lost` is masked with nothing found in the cache after a raise."""

    raw: float = 0.0
    plain: float = 0.0
    masked: float = 0.0
    lost: float = 0.0
    worst: float = 0.0
    raises: int = 0
    conversations: int = 0
    raised: int = 0
    recall: Recall = msgspec.field(default_factory=Recall)


def main() -> int:
    """Measure and print; 1 when all conversations of a regime together cost more with masking than without."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="a folder of transcripts")
    parser.add_argument("--mode", choices=("hybrid", "aggressive"), default="hybrid", help="what is masked on top of")
    parser.add_argument("--pause-every", type=int, default=25, help="requests between two pauses past the cache's life")
    options = parser.parse_args()
    if not options.data.is_dir():
        print(f"nothing measured: no folder {options.data}; name one with --data")
        return 0
    transcripts = [one for corpus in corpora.load(options.data) for one in corpus.transcripts]
    if not transcripts:
        print(f"nothing measured: no transcripts in {options.data}")
        return 0
    mode, count, losses = Mode(options.mode), functools.cache(_counter()), 0
    print(f"{len(transcripts)} conversations, {mode.value}; masking by the gate, bills of input\n")
    print(f"{'':<51}{'/ raw':>8}{'plain':>8}{'/ plain':>9}{'worst':>8}{'lost':>8}{'raises':>8}{'ids':>9}{'lossy':>12}")
    for shape in SHAPES:
        for every in (0, options.pause_every):
            for regime in regimes(MINIMUM_TOKENS):
                sums = _measured(transcripts, shape, _marked(regime, shape).terms, mode, every, count)
                pauses = f"a pause every {every}" if every else "no pauses"
                print(_line(f"{shape.value.partition('_')[0]}, {pauses}, {regime.name}", sums), flush=True)
                losses += sums.masked > sums.plain
    print("\n/ raw, plain: masked and unmasked by the client's own; / plain: masked by unmasked; worst: a single one;")
    print("lost: / plain, if the provider found nothing after a raise; ids: share still visible; lossy: answers of all")
    return 1 if losses else 0


def _measured(
    transcripts: Sequence[Transcript], shape: DialectName, terms: CacheTerms, mode: Mode, every: int, count: Counter
) -> Sums:
    sums = Sums()
    for transcript in transcripts:
        done = _masked(transcript, shape, terms, mode, every, count)
        raw, masked = done.against_raw.units(terms, done.idle_s)
        plain, _ = done.against_plain.units(terms, done.idle_s)
        lost_s = [_LOST_S if number in done.raises else pause_s for number, pause_s in enumerate(done.idle_s)]
        sums.lost += done.against_raw.units(terms, lost_s)[1]
        sums.raw, sums.plain, sums.masked = sums.raw + raw, sums.plain + plain, sums.masked + masked
        sums.worst = max(sums.worst, masked / plain if plain else 1.0)
        sums.raises += len(done.raises)
        sums.raised += bool(done.raises)
        sums.conversations += 1
        sums.recall.add(done.recall)
    return sums


def _masked(
    transcript: Transcript, shape: DialectName, terms: CacheTerms, mode: Mode, every: int, count: Counter
) -> Masked:
    """Send one conversation through the engine twice, without and with masking as the data plane decides it."""
    settings = unmasked = run.engine_settings(run.Settings(mode=mode, min_cacheable_tokens=MINIMUM_TOKENS))
    done = Masked(against_raw=ArmsWatch(count), against_plain=ArmsWatch(count), idle_s=[], raises=[], recall=Recall())
    references = RecallWatch()
    plain: Conversation | None = None
    known: Conversation | None = None
    for number, request in enumerate(measure.requests(transcript, shape)):
        pause_s = PAUSE_S if every and number and number % every == 0 else 0.0
        look, body = run.seen(request), request.body
        without = engine.compress(body, look, plain, unmasked)
        plain = without.conversation
        if known is not None:
            shared = known.shared(body, look)
            due = masking.decide(body, look, known, shared, idle_s=pause_s, terms=terms)
            if due is not None:
                settings = msgspec.structs.replace(settings, masked_spans=due.masked_spans)
                done.raises.append(number)
        outcome = engine.compress(body, look, known, settings)
        known = outcome.conversation
        sent = splice.splice(body, outcome.replacements)
        done.idle_s.append(pause_s)
        done.against_raw.see(body, sent)
        done.against_plain.see(splice.splice(body, without.replacements), sent)
        if request.answer:
            references.see(body, sent, request.answer)
    done.recall = references.recall
    return done


def _marked(regime: Regime, shape: DialectName) -> Regime:
    """Return the regime as it is where only markers make a prefix cacheable."""
    needs = shape is DialectName.ANTHROPIC and regime.terms.is_cached
    return msgspec.structs.replace(regime, terms=msgspec.structs.replace(regime.terms, needs_markers=needs))


def _line(name: str, sums: Sums) -> str:
    identifiers, recall = sums.recall.kinds["identifiers"], sums.recall
    mark = "!" if sums.masked > sums.plain else " "
    return (
        f"{name:<51}{sums.masked / sums.raw:>8.4f}{sums.plain / sums.raw:>8.4f}{sums.masked / sums.plain:>8.4f}{mark}"
        f"{sums.worst:>8.4f}{sums.lost / sums.plain:>8.4f}{sums.raises / sums.conversations:>8.2f}"
        f"{identifiers.share:>9.5f}{recall.lossy_answers:>6}/{recall.answers}"
    )


def _counter() -> Counter:
    try:
        return counter("cl100k").count
    except CounterMissing as exc:
        print(f"tokens are estimated: {exc}", file=sys.stderr)
        return counter("estimate-1").count


if __name__ == "__main__":
    sys.exit(main())
