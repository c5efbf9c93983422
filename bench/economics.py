#!/usr/bin/env python3
"""What compression saves and what it must not cost, on recorded conversations, beside the targets.

    python bench/economics.py [--data DIR] [--quick] [--json]

DIR holds transcripts as `tokenpakctl replay` reads them; each subfolder is reported by itself. Without it the samples
beside the checkout are taken (../shared/data). Provider caches are simulated; a unit is one uncached input token.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import corpus as corpora
import engine_speed
import msgspec
import needles
from corpus import CODING, JSON_AGENT, SHAPES, Corpus, Replayed
from economics_table import Row, as_object, lines

from tokenpakd.config.cache_terms import CacheTerms
from tokenpakd.exchange.request import DialectName
from tokenpakd.replay import run
from tokenpakd.replay.both_arms import ArmsWatch, Counter
from tokenpakd.replay.report import regimes
from tokenpakd.tip.modes import Mode
from tokenpakd.tokens.counter import CounterMissing, counter

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
MODES = (Mode.HYBRID, Mode.AGGRESSIVE)
MINIMUM_TOKENS = 1024
REGIMES = regimes(MINIMUM_TOKENS)
TOKENIZERS = ("cl100k", "o200k")
FALLBACK = "estimate-1"

_SHORT = tuple(zip(("w1.25 r.1", "w2 r.1", "w1.25 r.05", "w1.25 r.025", "uncached"), REGIMES, strict=True))

BILL_TARGETS = {
    (Mode.HYBRID, CODING): 0.925,
    (Mode.HYBRID, JSON_AGENT): 0.900,
    (Mode.AGGRESSIVE, CODING): 0.880,
    (Mode.AGGRESSIVE, JSON_AGENT): 0.885,
}
"""Of the first regime, over all conversations; in hybrid 0.910 and 0.885 are reached for."""


def main() -> int:
    """Measure and print; 1 when a target is missed, 0 also where there is nothing to measure on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="a folder of transcripts")
    parser.add_argument("--quick", action="store_true", help="no timing, one tokenizer")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    parser.add_argument("--digest", action="store_true", help="print hashes of all bytes that would be sent, and leave")
    options = parser.parse_args()
    if not options.data.is_dir():
        print(f"nothing measured: no folder {options.data}; name one with --data")
        return 0
    found = corpora.load(options.data)
    if not found:
        print(f"nothing measured: no transcripts in {options.data}")
        return 0
    if options.digest:
        print(*(corpora.digest(found, run.Settings(mode=mode)) for mode in MODES))
        return 0
    started_s = time.perf_counter()
    rows: list[Row] = []
    if options.json:
        rows += measured(found, options.data, is_quick=options.quick)
    else:
        for line in lines(_kept(rows, measured(found, options.data, is_quick=options.quick))):
            print(line, flush=True)
    missed = [row for row in rows if row.passes is False]
    if options.json:
        print(msgspec.json.encode({"rows": [as_object(row) for row in rows], "missed": len(missed)}).decode())
    else:
        print(f"\n{len(missed)} of {sum(row.passes is not None for row in rows)} targets missed", end="")
        print(f"; {time.perf_counter() - started_s:.0f} s; ! marks a figure beyond its target")
    return 1 if missed else 0


def _kept(rows: list[Row], coming: Iterable[Row]) -> Iterator[Row]:
    for row in coming:
        rows.append(row)
        yield row


def measured(found: Sequence[Corpus], data: Path, *, is_quick: bool) -> Iterator[Row]:
    """Yield every figure."""
    other = _other_process(data)
    try:
        counters = _counters(is_quick=is_quick)
        for corpus in found:
            for mode in MODES:
                for shape in SHAPES:
                    is_first = shape is SHAPES[0]
                    settings = run.Settings(mode=mode, min_cacheable_tokens=MINIMUM_TOKENS)
                    done = corpora.replayed(corpus, shape, settings, counters, wants_recall=is_first)
                    case = f"{corpus.name} ({corpus.kind}), {mode.value}, {shape.value.partition('_')[0]}"
                    yield from _bills(case, done, mode, corpus.kind)
                    if is_first:
                        yield from _recall(case, done, mode)
                    yield from _prefixes(case, corpus, shape, settings, done)
        for mode in MODES:
            yield from _needles(mode)
        if not is_quick:
            yield from _speed(found)
        yield from _same_elsewhere(found, other)
    finally:
        if other.poll() is None:
            other.kill()
        other.wait()


def _counters(*, is_quick: bool) -> dict[str, Counter]:
    try:
        return {name: counter(name).count for name in TOKENIZERS[: 1 if is_quick else None]}
    except CounterMissing as exc:
        print(f"tokens are estimated: {exc}", file=sys.stderr)
        return {FALLBACK: counter(FALLBACK).count}


def _bills(case: str, done: Replayed, mode: Mode, kind: str) -> Iterator[Row]:
    limit = 1.0 if mode is Mode.HYBRID else None
    for name, arms in done.arms.items():
        found = [_ratios(arms, regime.terms) for regime in REGIMES]
        for (short, _), (value, _, _) in zip(_SHORT, found, strict=True):
            target = BILL_TARGETS[mode, kind] if short == _SHORT[0][0] else limit
            yield Row(case=case, series=f"bill, {name}", what=short, value=value, target=target)
        for (short, _), (_, worst, of) in zip(_SHORT, found, strict=True):
            if worst is not None:
                series, note = f"worst of {of}, {name}", "of the conversations of three requests or more"
                yield Row(case=case, series=series, what=short, value=worst, target=limit, note=note)
    for name, arms in done.arms.items():
        tokens = [watch.tokens() for watch in arms]
        raw, sent = sum(before for before, _ in tokens), sum(after for _, after in tokens)
        saved = (1 - sent / raw) * 100 if raw else 0.0
        note = f"{raw:,} -> {sent:,}, every conversation once"
        yield Row(case=case, what=f"tokens saved, % ({name})", value=saved, digits=2, note=note)


def _ratios(arms: Sequence[ArmsWatch], terms: CacheTerms) -> tuple[float, float | None, int]:
    """Return the ratio of all conversations together, of the worst single one of three requests or more, and of how
    many that is.
    """
    units = [(watch.requests, *watch.units(terms)) for watch in arms]
    raw, sent = sum(before for _, before, _ in units), sum(after for _, _, after in units)
    single = [after / before for requests, before, after in units if requests >= 3 and before]
    return sent / raw if raw else 1.0, max(single, default=None), len(single)


def _recall(case: str, done: Replayed, mode: Mode) -> Iterator[Row]:
    is_hybrid = mode is Mode.HYBRID
    least = {"lines": 1.0 if is_hybrid else None, "identifiers": 0.9999 if is_hybrid else 0.995}
    for kind, count in done.recall.kinds.items():
        note = f"{count.kept:,} of {count.asked:,}"
        target = least.get(kind)
        yield Row(case=case, what=f"recall, {kind}", value=count.share, target=target, is_least=True, note=note)
    lost = "; ".join(f"{kind} {text[:40]!r}" for kind, text in done.recall.lost[:3])
    note = f"of {done.recall.answers:,} answers" + (f": {lost}" if lost else "")
    limit = 0 if is_hybrid else None
    yield Row(case=case, what="lossy calls", value=done.recall.lossy_answers, target=limit, note=note, digits=0)


def _prefixes(case: str, corpus: Corpus, shape: DialectName, settings: run.Settings, done: Replayed) -> Iterator[Row]:
    note = f"in {done.pairs:,} pairs of requests"
    yield Row(case=case, what="prefix changes", value=done.changes, target=0, note=note, digits=0)
    restarting = msgspec.structs.replace(settings, restart_every=3)
    again = corpora.replayed(corpus, shape, restarting, {}, wants_recall=False)
    what = "prefix changes, restart before every 3rd"
    yield Row(case=case, what=what, value=again.changes, target=0, note=note, digits=0)


def _needles(mode: Mode) -> Iterator[Row]:
    for (document, kind), survived in needles.survival(mode).items():
        share = sum(survived) / len(survived)
        target: float | None = 1.0 if mode is Mode.HYBRID else 0.95
        note = f"{sum(survived)} of {len(survived)} positions"
        if kind == "twin" and mode is Mode.AGGRESSIVE:
            target, note = None, note + "; its neighbours differ from it in a value only"
        yield Row(
            case=f"{mode.value}, needles",
            what=f"{document}, {kind}",
            value=share,
            target=target,
            is_least=True,
            note=note,
        )


def _speed(found: Sequence[Corpus]) -> Iterator[Row]:
    for mode in MODES:
        case = f"{mode.value}, speed"
        for corpus in found:
            outputs = [corpora.tool_outputs(one) for one in corpus.transcripts]
            value = engine_speed.new_text_s_per_mb(outputs, mode)
            yield Row(case=case, what=f"new text, {corpus.name}, s/MB", value=value, target=0.10, digits=3)
        texts = [text for corpus in found for text in corpora.all_texts(corpus)]
        added_ms = engine_speed.known_request_ms(texts, mode)
        if added_ms is not None:
            what = "1 MB with 99 % known adds, ms p50"
            yield Row(case=case, what=what, value=added_ms, target=6.0, digits=2, note="over strict: look, engine")
        for name, value in engine_speed.adversarial_s_per_mb(mode).items():
            yield Row(case=case, what=f"{name}, s/MB", value=value, target=0.30, digits=3)


def _other_process(data: Path) -> subprocess.Popen[str]:
    """Start the same replay under another hash seed and locale."""
    environ = {**os.environ, "PYTHONHASHSEED": "4713", "LC_ALL": "C", "PYTHONUTF8": "0"}
    command = [sys.executable, __file__, "--digest", "--data", str(data)]
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True)


def _same_elsewhere(found: Sequence[Corpus], other: subprocess.Popen[str]) -> Iterator[Row]:
    said = (other.communicate()[0].split("\n")[-2:-1] or [""])[0].split()
    for index, mode in enumerate(MODES):
        own = corpora.digest(found, run.Settings(mode=mode))
        differs = int(index >= len(said) or said[index] != own)
        what = "bytes differ under another hash seed and locale"
        yield Row(case=f"{mode.value}, elsewhere", what=what, value=differs, target=0, digits=0, note=own)


if __name__ == "__main__":
    sys.exit(main())
