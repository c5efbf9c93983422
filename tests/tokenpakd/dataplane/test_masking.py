"""A mask is in the store before it is in a request; what went out once masked stays so."""

import json
import logging
from typing import Any

import msgspec
import pytest

from tests.tokenpakd.dataplane.fakes import CONFIG, FakeBody, FakeClient, FakePlane, FakeTransport, inbound, snapshot
from tokenpakd.compression.masking import NEWEST
from tokenpakd.config.schema import Config
from tokenpakd.config.sections import Compression
from tokenpakd.dataplane import pipeline
from tokenpakd.dataplane.compressing import Compressing
from tokenpakd.dialects.classify import classify
from tokenpakd.exchange.row import OpenRow
from tokenpakd.ipc.worker_api import Snapshot
from tokenpakd.tip.modes import Mode

KEY = (b"x-api-key", b"sk-ant-x")
PAUSE_S = 400
OLD, FIRST = b"left out]", b"step 0, 7:"


def config(**compression: Any) -> Config:
    return msgspec.structs.replace(CONFIG, compression=Compression(**compression))


MASKING = snapshot(config(masking=True), mode=Mode.AGGRESSIVE)


def text(number: int) -> str:
    return "\n".join(f"step {number}, {line}: alpha{number * 7 + line} beta{number ^ line}" for line in range(40))


def body(turns: int, task: str = "Find out why it fails. ") -> bytes:
    messages: list[dict[str, Any]] = [{"role": "user", "content": task * 400}]
    for number in range(turns):
        use = {"type": "tool_use", "id": f"t{number}", "name": "bash", "input": {"command": f"./step {number}"}}
        answer = {"type": "tool_result", "tool_use_id": f"t{number}", "content": text(number)}
        messages += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [answer]}]
    messages[-1]["content"][-1]["cache_control"] = {"type": "ephemeral"}
    return json.dumps({"model": "claude-sonnet-4-5", "max_tokens": 8, "messages": messages}).encode()


class Daemon:
    """One worker and its clock; what it sends, records and traces."""

    def __init__(self, given: Snapshot = MASKING) -> None:
        self.plane = FakePlane(FakeTransport(), given)
        self.now_s = 1_000

    def restart(self) -> None:
        self.plane.compressing = Compressing(self.plane.compressing.terms)

    async def send(self, raw: bytes, *headers: tuple[bytes, bytes], after_s: int = 5) -> bytes:
        self.now_s += after_s
        head = inbound(KEY, *headers, at_unix_ms=self.now_s * 1000)
        self.plane.upstream = self.transport = FakeTransport(FakeBody(first=b"{}"))
        arrival = pipeline.Arrival(inbound=head, endpoint=classify("POST", head.path), body=raw)
        await pipeline.handle(arrival, FakeClient(), self.plane)
        sent = self.transport.calls[-1].body
        assert isinstance(sent, bytes)
        return sent

    @property
    def row(self) -> OpenRow:
        return self.plane.recorder.opened[-1]

    @property
    def said(self) -> str:
        return next(room.decided for room in self.plane.recorder.closed[-1].rooms if room.room == "compress")

    @property
    def level(self) -> int:
        [pin] = self.plane.recorder.pins.values()
        return pin.masked_spans


async def test_after_a_pause_the_old_results_go_and_stay_away(caplog: pytest.LogCaptureFixture) -> None:
    daemon = Daemon()
    with caplog.at_level(logging.INFO):
        before = await daemon.send(body(NEWEST + 3))
        assert (OLD in before, FIRST in before) == (False, True)
        assert "masked" not in daemon.said
        masked = await daemon.send(body(NEWEST + 4), after_s=PAUSE_S)
        assert (masked.count(OLD), FIRST in masked) == (4, False)
        assert daemon.row.prefix_break == "us"
        assert daemon.row.saved_milli_units is not None
        assert daemon.row.saved_milli_units > 0, "nothing was cached any more: it cost nothing"
        assert daemon.said.endswith(f", masked up to span {daemon.level}")
        later = await daemon.send(body(NEWEST + 5))
    assert later.startswith(masked[: masked.rindex(b', "cache_control"')])
    assert daemon.row.prefix_break == "none"
    [record] = [record for record in caplog.records if record.message == "conversation_masked"]
    [conversation] = daemon.plane.recorder.pins
    told = {key: value for key, value in vars(record).items() if key in ("conversation", "masked_spans", "spans")}
    assert told == {"conversation": conversation, "masked_spans": daemon.level, "spans": 4}
    assert vars(record)["tokens"] > 500
    assert "step" not in json.dumps({**vars(record), "msg": "", "args": ""}, default=str)


async def test_a_worker_that_starts_anew_sends_the_same_bytes() -> None:
    daemon = Daemon()
    await daemon.send(body(NEWEST + 3))
    await daemon.send(body(NEWEST + 4), after_s=PAUSE_S)
    sent = await daemon.send(body(NEWEST + 5))
    daemon.restart()
    assert await daemon.send(body(NEWEST + 5)) == sent
    daemon.plane.snapshot = snapshot(config(masking=False), mode=Mode.HYBRID)
    daemon.restart()
    assert await daemon.send(body(NEWEST + 5)) == sent, "switched off, it masks no further and takes nothing back"
    daemon.plane.snapshot = MASKING
    assert await daemon.send(body(NEWEST + 9), after_s=PAUSE_S) != sent


@pytest.mark.parametrize(
    ("given", "headers"),
    [
        (snapshot(config(), mode=Mode.AGGRESSIVE), ()),
        (snapshot(config(masking=True), mode=Mode.HYBRID), ()),
        (snapshot(config(masking=True), mode=Mode.STRICT), ()),
        (snapshot(config(masking=True, holdout=1.0), mode=Mode.AGGRESSIVE), ()),
        (snapshot(config(masking=True, enabled=False), mode=Mode.AGGRESSIVE), ()),
        (msgspec.structs.replace(MASKING, safe_mode=True), ()),
        (snapshot(config(masking=True), mode=Mode.HYBRID), ((b"x-tokenpak-mode", b"aggressive"),)),
    ],
    ids=["off by default", "hybrid", "strict", "held out", "switched off", "safe mode", "not the pinned mode"],
)
async def test_nothing_is_masked_where_it_is_not_wanted(
    given: Snapshot, headers: tuple[tuple[bytes, bytes], ...]
) -> None:
    daemon = Daemon(given)
    await daemon.send(body(NEWEST + 3))
    await daemon.send(body(NEWEST + 4), *headers)
    assert OLD not in await daemon.send(body(NEWEST + 5), *headers, after_s=PAUSE_S)
    assert daemon.level == 0


async def test_a_store_that_does_not_take_the_mask_leaves_everything_as_it_is() -> None:
    daemon = Daemon()
    before = await daemon.send(body(NEWEST + 3))
    daemon.plane.recorder.takes_masks = False
    assert (await daemon.send(body(NEWEST + 4), after_s=PAUSE_S)).startswith(before[:-60])
    assert (daemon.level, daemon.row.prefix_break) == (0, "ttl")
    daemon.plane.recorder.takes_masks = True
    assert OLD not in await daemon.send(body(NEWEST + 5)), "it is warm again"
    assert OLD in await daemon.send(body(NEWEST + 6), after_s=PAUSE_S)


async def test_a_worker_that_remembers_nothing_does_not_decide() -> None:
    daemon = Daemon()
    await daemon.send(body(NEWEST + 3))
    daemon.restart()
    assert OLD not in await daemon.send(body(NEWEST + 4), after_s=PAUSE_S)
    assert OLD in await daemon.send(body(NEWEST + 5), after_s=PAUSE_S)


async def test_the_same_task_begun_again_sees_its_newest_results() -> None:
    daemon = Daemon()
    await daemon.send(body(NEWEST + 5))
    await daemon.send(body(NEWEST + 6), after_s=PAUSE_S)
    assert daemon.level > 0
    for turns in (1, 5, NEWEST):
        assert OLD not in await daemon.send(body(turns))


async def test_the_store_is_asked_again_only_while_masks_may_rise() -> None:
    for masking in (False, True):
        daemon = Daemon(snapshot(config(masking=masking), mode=Mode.AGGRESSIVE))
        await daemon.send(body(2))
        assert daemon.plane.recorder.fresh_asked == [masking]


async def test_what_another_worker_raised_is_not_raised_again() -> None:
    daemon = Daemon()
    await daemon.send(body(NEWEST + 3))
    [conversation] = daemon.plane.recorder.pins
    daemon.plane.recorder.raise_mask(conversation, MASKING.pin_epoch, 4)
    assert (await daemon.send(body(NEWEST + 8), after_s=PAUSE_S)).count(OLD) in (3, 4)
    assert daemon.level == 4
