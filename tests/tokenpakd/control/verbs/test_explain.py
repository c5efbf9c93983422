"""What became of the spans of one exchange, through the real dispatch and a real store."""

from tests.tokenpakd.control.daemon_double import DaemonDouble, ask
from tests.tokenpakd.control.recorded import record
from tokenpakd.exchange.row import SpanNote
from tokenpakd.storage.recorder import Recorder


async def test_explain_of_a_known_and_of_an_unknown_id(daemon: DaemonDouble, recorder: Recorder) -> None:
    notes = (
        SpanNote(3, "tool_result", "json", 900, 400, 300, 130, "columns+lines", ""),
        SpanNote(4, "user_text", "narrative", 90, 90, 30, 30, "", "too short"),
    )
    told: dict[str, object] = {
        "arm": "on",
        "compressors": "hybrid-1",
        "prefix_break": "client",
        "known_spans": 3,
        "known_replaced": 1,
    }
    more = {"span_notes": notes, "removed_known_tokens": 2, "saved_milli_units": -40}
    record(recorder, "req_1", told=told | more)
    found = (await ask(daemon, "explain", {"id": "req_1"}))["result"]
    assert {name: found[name] for name in told} == told
    assert (found["mode"], found["tokenizer"], found["saved_milli_units"]) == ("hybrid", "estimate-1", -40)
    assert (found["saved_tokens"], found["removed_known_tokens"]) == (7, 2)
    assert [(span["index"], span["by"], span["why"]) for span in found["spans"]] == [
        (3, "columns+lines", ""), (4, "", "too short"),
    ]  # fmt: skip
    error = (await ask(daemon, "explain", {"id": "req_2"}))["error"]
    assert (error["code"], error["data"]["hint"]) == (-32002, "Run `tokenpakctl recent`.")
    for bad in ("", "x" * 201):
        assert (await ask(daemon, "explain", {"id": bad}))["error"]["code"] == -32602
