"""A Claude Code session file."""

import pytest

from tests.tokenpakd.replay.samples import SOURCE, claude_code
from tokenpakd.replay.claude_code import conversations, is_record


def test_one_answer_in_several_records_is_one_turn() -> None:
    main, _, _ = conversations(claude_code(), "session")
    assert main.turns[1].texts == ("I look.",)
    assert [call.name for call in main.turns[1].calls] == ["Read"]
    assert main.turns[2].texts == (SOURCE,)


def test_a_compaction_begins_anew_and_side_chains_stand_alone() -> None:
    main, side, after = conversations(claude_code(), "session")
    assert [one.turns[0].texts[0] for one in (main, side, after)] == ["Fix line_7.", "Search.", "So far: nothing."]
    assert [one.name for one in (main, side, after)] == ["session 1", "session 2", "session 3"]


def test_the_records_are_not_changed() -> None:
    records = claude_code()
    conversations(records, "session")
    assert records == claude_code()


@pytest.mark.parametrize(
    "record",
    [
        {"type": "summary", "summary": "x"},
        {"type": "user"},
        {"type": "user", "message": "x"},
        {"type": "assistant", "message": {"content": "x"}},
        {"type": "tool_result", "message": {"role": "user"}},
    ],
)
def test_notes_are_no_records(record: dict[str, object]) -> None:
    assert not is_record(record)


def test_a_chain_that_nobody_answered_is_left_out() -> None:
    assert conversations(claude_code()[:3], "session") == ()
