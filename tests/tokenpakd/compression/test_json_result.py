"""One JSON result through both of its compressors, and what the index is told."""

import json
from pathlib import Path
from typing import cast

import pytest

from tests.tokenpakd.compression.json_decoder import JsonReader
from tokenpakd.compression import json_result, json_text
from tokenpakd.compression.segments import Segment
from tokenpakd.compression.values import ValueIndex, name_of
from tokenpakd.exchange.request import Call

TRAJECTORIES = Path(__file__).parents[4] / "shared" / "data" / "tau-bench" / "gpt-4o-airline-dev.json"
LEGS = [{"flight": f"HAT{number}", "from": "MCO", "till": "CLT", "date": "2024-05-16"} for number in range(5)]
RECORD = {"id": "JG7FMM", "user": "omar_davis", "legs": LEGS, "cabin": "business", "insurance": "yes"}
CALL = Call("get_record", '{"record_id":"JG7FMM"}')
UPDATE = Call("update_record", '{"record_id":"JG7FMM","cabin":"economy"}')


def test_changed_record_becomes_what_changed() -> None:
    index = ValueIndex()
    first = json_result.encode(json.dumps(RECORD), Segment.JSON, index)
    assert first is not None
    assert first.by == ("columns",)
    assert first.text is not None
    json_result.learn(index, first.source, first, CALL, first.text)
    second = json_result.encode(json.dumps({**RECORD, "cabin": "economy"}), Segment.JSON, index)
    assert second is not None
    assert second.by == ("values", "columns")
    assert (
        second.text == '{"id":"JG7FMM","cabin":"economy","_other_keys":"[same as in your earlier get_record JG7FMM]"}'
    )
    assert second.columns is not None
    assert len(second.columns) > len(second.text)


def test_index_learns_what_is_sent() -> None:
    index = ValueIndex()
    for sent_in_full in (True, False):
        encoded = json_result.encode(json.dumps(RECORD), Segment.JSON, index)
        assert encoded is not None
        json_result.learn(
            index, encoded.source, encoded, UPDATE, json.dumps(RECORD) if sent_in_full else encoded.text or ""
        )
    after = json_result.encode(json.dumps({"id": 1, "legs": LEGS}), Segment.JSON, index)
    assert after is not None
    assert after.text == '{"id":1,"legs":"[same as in your earlier update_record JG7FMM economy]"}'


def test_index_does_not_learn_what_something_else_cut() -> None:
    index = ValueIndex()
    text = json.dumps(RECORD, indent=2)
    encoded = json_result.encode(text, Segment.JSON, index)
    assert encoded is not None
    json_result.learn(index, encoded.source, encoded, CALL, text[:100] + "[12 lines as above]")
    again = json_result.encode(text, Segment.JSON, index)
    assert again == encoded


def test_wrapping_stays_around_pointers() -> None:
    index = ValueIndex()
    wrapped = "<returncode>0</returncode>\n<output>\n{}\n</output>"
    for expected in (("columns",), ("values", "columns")):
        encoded = json_result.encode(wrapped.replace("{}", json.dumps(RECORD)), Segment.UNKNOWN, index)
        assert encoded is not None
        assert encoded.by == expected
        assert encoded.text is not None
        assert encoded.text.startswith("<returncode>0</returncode>\n<output>\n{")
        assert encoded.text.endswith("}\n</output>")
        json_result.learn(index, encoded.source, encoded, Call("bash", "record JG7FMM"), encoded.text)


def test_pointer_within_json_is_a_json_string() -> None:
    index = ValueIndex()
    sent: dict[str, object] = {}
    odd = Call('get "record"', 'say "yes"\\ or é]')
    for value in (RECORD, {**RECORD, "cabin": "economy"}):
        encoded = json_result.encode(json.dumps(value), Segment.JSON, index)
        assert encoded is not None
        assert encoded.text is not None
        json_result.learn(index, encoded.source, encoded, odd, encoded.text)
        sent = json.loads(encoded.text)
    assert sent["_other_keys"] == '[same as in your earlier get "record" say "yes"\\ or é]]'


@pytest.mark.parametrize("segment", [Segment.CONFIG, Segment.CODE, Segment.FILE_VIEW, Segment.PROTECTED])
def test_files_are_not_read(segment: Segment) -> None:
    assert json_result.encode(json.dumps(RECORD, indent=2), segment, ValueIndex()) is None


@pytest.mark.parametrize("text", ["plain", "{", '["\\ud800"]', '{"a":1,"a":1}'])
def test_what_is_no_document_is_not_read(text: str) -> None:
    assert json_result.encode(text, Segment.JSON, ValueIndex()) is None


def test_a_document_without_gain_is_still_learned() -> None:
    index = ValueIndex()
    text = json.dumps(LEGS[0], separators=(",", ":"))
    encoded = json_result.encode(text, Segment.JSON, index)
    assert encoded is not None
    assert encoded.text is None
    assert encoded.by == ()
    json_result.learn(index, encoded.source, encoded, CALL, text)
    assert index.mark() == 1


@pytest.mark.skipif(not TRAJECTORIES.exists(), reason=f"no sample conversations at {TRAJECTORIES}")
def test_every_result_of_the_sample_conversations_comes_back() -> None:
    pointed = columned = 0
    for trajectory in json.loads(TRAJECTORIES.read_text()):
        index, reader = ValueIndex(), JsonReader()
        calls: dict[str, Call] = {}
        for message in trajectory["traj"]:
            for made in message.get("tool_calls") or ():
                calls[made["id"]] = Call(made["function"]["name"], made["function"]["arguments"][:60])
            if message["role"] != "tool":
                continue
            text, call = cast(str, message["content"]), calls.get(message["tool_call_id"])
            encoded = json_result.encode(text, Segment.JSON, index)
            if encoded is None:
                continue
            sent = text if encoded.text is None else encoded.text
            json_result.learn(index, encoded.source, encoded, call, sent)
            read = reader.read(sent, call, has_pointers="values" in encoded.by)
            assert read == json_text.written(encoded.original)
            assert json.loads(read) == json.loads(text)
            assert call is None or name_of(call).isprintable()
            pointed += "values" in encoded.by
            columned += encoded.by == ("columns",)
    assert pointed > 50
    assert columned > 100
