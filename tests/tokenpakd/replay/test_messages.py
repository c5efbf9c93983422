"""Messages as neutral turns."""

import json

import pytest

from tests.tokenpakd.replay.samples import SOURCE, anthropic, chat
from tokenpakd.replay.conversation import Role
from tokenpakd.replay.messages import conversation, is_anthropic


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (chat(), False),
        (anthropic(), True),
        ({"messages": [{"role": "user", "content": "x"}], "system": "s"}, True),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, False),
        ({"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]}, True),
        ({"messages": [], "tools": [{"name": "x", "input_schema": {}}]}, True),
        ({"messages": [], "tools": [{"type": "function", "function": {"name": "x"}}]}, False),
    ],
)
def test_the_form_is_seen(source: dict[str, object], said: bool) -> None:
    assert is_anthropic(source) is said


def test_results_of_a_user_message_are_turns_of_their_own_in_order() -> None:
    turns = conversation(anthropic(), "x").turns
    assert [(turn.role, turn.call_id, turn.texts) for turn in turns[3:6]] == [
        (Role.TOOL, "toolu_1", (SOURCE,)),
        (Role.TOOL, "toolu_2", (SOURCE,)),
        (Role.USER, "", ("Go on.",)),
    ]


def test_what_is_odd_is_left_out_and_nothing_raises() -> None:
    said = [
        {"role": "exit"},
        3,
        {"role": "user"},
        {"role": "assistant", "tool_calls": [None, {"id": 1, "function": {}}]},
    ]
    turns = conversation({"messages": said, "tools": [1, {"name": 2}]}, "x").turns
    assert [turn.role for turn in turns] == [Role.USER, Role.ASSISTANT]
    assert [call.arguments for call in turns[1].calls] == ["{}"]
    assert conversation({"messages": None}, "x").turns == ()


def test_arguments_that_came_as_an_object_become_its_json() -> None:
    said = [{"role": "assistant", "tool_calls": [{"function": {"name": "x", "arguments": {"a": [1, "b"]}}}]}]
    (turn,) = conversation({"messages": said}, "x").turns
    assert json.loads(turn.calls[0].arguments) == {"a": [1, "b"]}
