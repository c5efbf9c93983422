from collections.abc import Iterator
from typing import Any

import pytest

from tokenpakd.demo import children, session
from tokenpakd.demo.replay import Arm, ReplayError, read_stream, replay
from tokenpakd.demo.session import Session


@pytest.fixture
def port() -> Iterator[int]:
    process, port = children.start_provider()
    yield port
    children.end(process)


def test_every_arm_gets_every_recorded_answer_and_the_same_bill(port: int) -> None:
    recorded = session.load()
    done = replay(recorded, [Arm(name=name, port=port, key=f"demo-{name}") for name in ("a", "b")])
    assert {exchange.is_stream for exchange in done["a"]} == {True, False}
    assert all(exchange.is_answer_right for exchange in (*done["a"], *done["b"]))
    assert [exchange.charge for exchange in done["a"]] == [exchange.charge for exchange in done["b"]]
    assert len(done["a"]) == len(recorded.answers)
    assert sum(exchange.charge.read for exchange in done["a"]) > sum(exchange.charge.write_5m for exchange in done["a"])


def test_refused_request_ends_the_replay_with_what_came_back(port: int) -> None:
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {"role": "assistant", "content": []},
    ]
    odd = Session(about=[], model="gpt-x", max_tokens=1, system=[], tools=[], messages=messages)
    with pytest.raises(ReplayError, match=r"a: 400 .*demo-"):
        replay(odd, [Arm(name="a", port=port, key="k")])


def test_stream_without_its_end_is_an_error() -> None:
    with pytest.raises(ReplayError, match="message_stop"):
        read_stream(b'event: message_start\ndata: {"type":"message_start","message":{"content":[]}}\n\n')
