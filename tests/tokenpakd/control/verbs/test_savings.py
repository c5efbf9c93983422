"""Three figures that are never added up, through the real dispatch and a real store."""

import time

import pytest

from tests.tokenpakd.control.daemon_double import DaemonDouble, ask
from tests.tokenpakd.control.recorded import record
from tokenpakd.exchange.request import RequestId
from tokenpakd.exchange.row import Outcome
from tokenpakd.storage import reading
from tokenpakd.storage.recorder import Recorder

C1 = {"arm": "on", "conversation": "c1"}


async def test_savings_keep_three_figures_apart(daemon: DaemonDouble, recorder: Recorder) -> None:
    record(recorder, "req_1", told={**C1, "saved_milli_units": 9_000, "prefix_break": "none"})
    record(
        recorder,
        "req_2",
        told={**C1, "saved_milli_units": -3_000, "removed_known_tokens": 5},
    )
    record(recorder, "req_refused", Outcome.REFUSED, told={"saved_milli_units": 1_000_000})
    recorder.note_would_save(RequestId("req_2"), 11, -4)
    found = (await ask(daemon, "savings"))["result"]
    total = found["total"]
    assert (total["requests"], total["conversations"]) == (2, 1)
    assert total["removed"] == {"total": 14, "first_seen": 9, "known": 5}
    assert (total["measured"]["input_uncached"], total["measured"]["output"]) == (40, 10)
    assert total["measured"]["cache_write_1h"] is None
    assert (total["simulated"]["milli_units"], total["simulated"]["requests"]) == (6_000, 2)
    assert (total["would_save"]["tokens"], total["would_save"]["milli_units"]) == (11, -4)
    assert total["prefix_breaks"]["none"] == 1
    assert (found["raw_milli_units"], found["share"]) == (46_000, 6 / 46)
    assert (found["groups"], found["holdout"], found["confidence"]["simulated"]) == ([], None, "simulated")


async def test_savings_come_in_groups_and_from_a_moment_on(daemon: DaemonDouble, recorder: Recorder) -> None:
    record(recorder, "req_old", told={**C1, "at_unix_ms": 1_000, "saved_milli_units": 5_000})
    record(recorder, "req_1", told={**C1, "saved_milli_units": -2_000})
    record(recorder, "req_2", told={"arm": "off", "conversation": "c2"})
    for by, keys in (("model", ["claude-x"]), ("arm", ["on", "off"])):
        groups = (await ask(daemon, "savings", {"by": by}))["result"]["groups"]
        assert [group["key"] for group in groups] == keys
    assert len((await ask(daemon, "savings", {"by": "day"}))["result"]["groups"]) == 2
    since = (await ask(daemon, "savings", {"since_unix_ms": 2_000}))["result"]
    assert (since["since_unix_ms"], since["total"]["requests"]) == (2_000, 2)
    assert since["total"]["simulated"]["milli_units"] == -2_000
    assert since["share"] < 0
    nothing = (await ask(daemon, "savings", {"since_unix_ms": round(time.time() * 1000) + 9_000_000}))["result"]
    assert (nothing["total"]["requests"], nothing["raw_milli_units"], nothing["share"]) == (0, None, None)


async def test_savings_compare_the_arms_by_what_the_provider_measured(daemon: DaemonDouble, recorder: Recorder) -> None:
    for number in range(6):
        record(
            recorder,
            f"req_out_{number}",
            uncached=1_200 + number,
            told={"arm": "holdout", "conversation": f"out{number}"},
        )
        record(recorder, f"req_on_{number}", uncached=1_000 + number, told={"arm": "on", "conversation": f"on{number}"})
    holdout = (await ask(daemon, "savings"))["result"]["holdout"]
    assert (holdout["verdict"], holdout["saved_milli_units_per_request"]) == ("saves", 200_000)
    assert (holdout["compressed"]["conversations"], holdout["held_out"]["requests"]) == (6, 6)
    assert holdout["interval_milli_units"][0] > 0
    assert holdout["confidence"] == "provider-measured"


async def test_a_store_that_is_too_long_to_read_whole_is_asked_for_less(
    daemon: DaemonDouble, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(recorder, "req_1")
    monkeypatch.setattr(reading, "READ_S", -1.0)
    monkeypatch.setattr(reading, "STEPS_BETWEEN_LOOKS", 1)
    error = (await ask(daemon, "savings"))["error"]
    assert (error["code"], error["data"]["hint"]) == (-32002, "Ask for less: `tokenpakctl savings --since 7d`.")


async def test_savings_by_repository_are_not_recorded_yet(daemon: DaemonDouble, recorder: Recorder) -> None:
    error = (await ask(daemon, "savings", {"by": "repo"}))["error"]
    assert (error["code"], "not recorded yet" in error["message"]) == (-32002, True)
    for params in ({"by": "colour"}, {"since_unix_ms": -1}, {"since_unix_ms": 10**15}, {"since_unix_ms": "7d"}):
        assert (await ask(daemon, "savings", params))["error"]["code"] == -32602
