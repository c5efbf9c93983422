"""What a replay came to, as text and as figures."""

import msgspec
import pytest

from tests.tokenpakd.replay.samples import encoded, tau
from tokenpakd.replay.measure import measure
from tokenpakd.replay.report import ratio, regimes, report, table
from tokenpakd.replay.run import Settings
from tokenpakd.replay.transcripts import read
from tokenpakd.tip.modes import Mode
from tokenpakd.tokens.estimate import estimate


def test_the_five_ways_of_billing() -> None:
    found = regimes(2048)
    terms = [one.terms for one in found]
    assert [(one.write_5m, one.read) for one in terms] == [(1.25, 0.1), (2, 0.1), (1.25, 0.05), (1.25, 0.025), (1, 1)]
    assert [one.min_cacheable_tokens for one in terms] == [2048] * 4 + [0]
    assert not terms[4].is_cached


@pytest.mark.parametrize("mode", list(Mode))
def test_the_sums_are_those_of_the_conversations(mode: Mode) -> None:
    measured = measure(read(encoded(tau()), "tau"), Settings(mode=mode), estimate)
    found = report(measured, mode, "estimate-1", regimes(1024))
    assert (found.mode, found.tokenizer, found.requests) == (mode.value, "estimate-1", 6)
    assert found.raw_tokens == sum(one.raw_tokens for one in found.conversations)
    assert found.removed_tokens == found.raw_tokens - found.sent_tokens
    assert (found.prefix_pairs, found.prefix_changes, found.answers, found.lossy_answers) == (4, 0, 6, 0)
    for line, regime in zip(found.bills, regimes(1024), strict=True):
        raw, sent = measured[0].arms.units(regime.terms)
        assert (line.raw_units, line.sent_units) == (round(2 * raw), round(2 * sent))
        assert line.ratio == pytest.approx(sent / raw)
        assert (line.ratio < 1) is (mode is not Mode.STRICT)
    assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found


def test_the_table_shows_both_arms_and_a_loss_as_a_loss() -> None:
    measured = measure(read(encoded(tau()), "tau"), Settings(mode=Mode.HYBRID), estimate)
    found = report(measured, Mode.HYBRID, "estimate-1", regimes(1024))
    text = table(found)
    assert "6 requests of 2 conversations, mode hybrid; tokens by estimate-1" in text
    assert f"{found.raw_tokens:,}" in text
    assert "prefixes: 0 changes in 4 pairs of requests" in text
    assert "6 answers, 0 of them lost a reference" in text
    assert text.count("requests  ") == 2
    dearer = msgspec.structs.replace(found.bills[0], sent_units=found.bills[0].raw_units * 2)
    assert "+100.00%" in table(msgspec.structs.replace(found, bills=(dearer,)))


def test_nothing_paid_is_no_change() -> None:
    assert ratio(0, 0) == 1
