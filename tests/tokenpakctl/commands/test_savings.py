"""Three sets of figures, word for word; a loss is a loss; nothing is asked of a daemon that cannot be."""

import time
from typing import Any

import pytest

from tests.tokenpakctl.control_double import ControlDouble, run
from tests.tokenpakctl.test_holdout import HOLDOUT, SHOWN
from tokenpakctl.commands.savings import report
from tokenpakctl.render import View

GROUP: dict[str, Any] = {
    "key": "claude-x", "requests": 412, "conversations": 31,
    "removed": {"total": 1_385_400, "first_seen": 182_400, "known": 1_203_000},
    "measured": {
        "requests": 410, "input_uncached": 120_000, "cache_read": 9_080_000, "cache_write_5m": 800_000,
        "cache_write_1h": None, "output": 300_000,
    },
    "simulated": {"milli_units": 234_000_000, "requests": 400, "requests_unknown": 12},
    "would_save": {"tokens": 12_000, "milli_units": 9_000, "requests": 9},
    "prefix_breaks": {"none": 380, "client": 3, "ttl": 12},
}  # fmt: skip
SAVINGS: dict[str, Any] = {
    "since_unix_ms": 0, "by": None, "total": GROUP, "groups": [], "groups_left_out": 0,
    "raw_milli_units": 3_600_000_000, "share": 0.065, "confidence": {"simulated": "simulated"}, "holdout": None,
}  # fmt: skip

SCREEN = """\
all on record · 412 requests · 31 conversations

removed by compression, in tokens counted here (estimated)
  first seen         182,400  when their text would have been sent for the first time
  repeated         1,203,000  again, in requests that repeat that text: mostly cache reads
  would have been     12,000  not removed, in 9 requests sent as they came

measured by the provider, in tokens
  input, uncached    120,000
  cache read       9,080,000
  cache write 5m     800,000
  cache write 1h           –
  output             300,000
  hit rate               91%  cache reads of all input
  not measured             2  requests for which the provider reported no usage

saved, simulated against the provider's cache (1 unit = the price of one uncached input token)
  saved            +234,000  units
  share               +6.5%  of 3.6M units, the input bill without compression (as measured, and what was saved)
  not simulated          12  requests
  would have been      +9.0  units, in requests sent as they came
  prefix kept           380  requests; broken by: client 3 · ttl 12
  confidence                 simulated
"""


def test_the_three_sets_stand_apart(environ: dict[str, str], daemon: ControlDouble) -> None:
    daemon.answers["savings"] = SAVINGS
    assert run(environ, "savings").out == SCREEN
    assert run(environ, "savings", "--json").json == SAVINGS
    assert daemon.requests[0]["params"] == {"since_unix_ms": None, "by": None}


def test_a_loss_prints_as_a_loss(environ: dict[str, str], daemon: ControlDouble) -> None:
    lost = {**GROUP, "simulated": {"milli_units": -1_200_000, "requests": 4}, "prefix_breaks": {"none": 2}}
    share = {"raw_milli_units": 40_000_000, "share": -0.03}
    daemon.answers["savings"] = {**SAVINGS, **share, "by": "day", "total": lost, "groups": [lost]}
    out = run(environ, "savings", "--by", "day").out
    words = [line.split() for line in out.splitlines()]
    assert ["saved", "−1,200", "units:", "a", "loss"] in words
    assert ["share", "−3.0%", "of", "40.0k", "units,"] in [line[:5] for line in words]
    assert out.rstrip().endswith("−1,200 units")
    assert ["prefix", "kept", "2", "requests,", "and", "broken", "by", "none"] in words


def test_the_arms_are_compared_where_there_are_both() -> None:
    assert report(View({**SAVINGS, "holdout": HOLDOUT})).endswith(SHOWN)
    assert "held out" not in report(View(SAVINGS))


def test_groups_have_a_line_each_and_say_what_is_left_out() -> None:
    grouped = {**SAVINGS, "by": "model", "groups": [GROUP, {"key": None, "requests": 1}], "groups_left_out": 7}
    lines = report(View(grouped)).splitlines()
    assert lines[-4].split("  ")[0] == "model"
    expected = ["claude-x", "412", "182.4k", "1.2M", "10.0M", "91%", "300.0k", "+234,000", "units"]
    assert lines[-3].split() == expected
    assert lines[-2].split() == ["–", "1", "–", "–", "–", "–", "–", "–"]
    assert lines[-1] == "7 more are in the sums above only"


def test_since_reaches_the_daemon_as_a_moment(environ: dict[str, str], daemon: ControlDouble) -> None:
    daemon.answers["savings"] = SAVINGS
    before = time.time()
    run(environ, "savings", "--since", "24h", "--by", "arm")
    sent = daemon.requests[0]["params"]
    assert sent["by"] == "arm"
    assert abs(sent["since_unix_ms"] / 1000 - (before - 86_400)) < 60


@pytest.mark.parametrize("argv", [["--since", "yesterday"], ["--by", "colour"], ["extra"]])
def test_usage_errors_reach_no_daemon(environ: dict[str, str], daemon: ControlDouble, argv: list[str]) -> None:
    assert run(environ, "savings", *argv).code == 2
    assert daemon.requests == []


def test_no_prefix_is_spoken_of_before_there_was_a_second_request() -> None:
    first = {**GROUP, "prefix_breaks": dict.fromkeys(("none", "client", "us", "ttl", "model", "tools"), 0)}
    assert "prefix" not in report(View({**SAVINGS, "total": first}))


def test_nothing_on_record_is_said(environ: dict[str, str], daemon: ControlDouble) -> None:
    daemon.answers["savings"] = {**SAVINGS, "total": {"requests": 0}, "since_unix_ms": 1_000_000_000_000}
    assert run(environ, "savings").out.startswith("nothing on record since 2001-09-09")
    assert report(View({})).startswith("nothing on record:")
