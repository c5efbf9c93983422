"""One exchange: what was decided earlier in one line, the new spans in a table, and why some stayed."""

from typing import Any

import pytest

from tests.tokenpakctl.control_double import ControlDouble, run
from tokenpakctl.commands.explain import report
from tokenpakctl.render import View

SPANS: list[dict[str, Any]] = [
    {
        "index": 42, "kind": "tool_result", "segment": "file_view", "bytes_before": 9000, "bytes_after": 4000,
        "tokens_before": 3000, "tokens_after": 1300, "by": "columns+lines", "why": "",
    },
    {
        "index": 43, "kind": "user_text", "segment": "narrative", "bytes_before": 90, "bytes_after": 90,
        "tokens_before": 30, "tokens_after": 30, "by": "", "why": "too short",
    },
]  # fmt: skip
EXPLAINED: dict[str, Any] = {
    "id": "req_1", "at": 1_000_000_000_000, "model": "claude-x", "provider": "anthropic", "outcome": "ok",
    "mode": "hybrid", "arm": "on", "compressors": "hybrid-1", "tokenizer": "estimate-1", "bytes_received": 123_456,
    "bytes_sent": 100_000, "saved_tokens": 1_700, "removed_known_tokens": 300, "saved_milli_units": -1_234,
    "would_save_tokens": None, "prefix_break": "ttl", "known_spans": 41, "known_replaced": 17, "spans": SPANS,
    "usage": {"input_uncached": 12, "cache_read": 34, "output": 7},
}  # fmt: skip

SCREEN = """\
mode        hybrid, arm on (compressed)
compressors hybrid-1
tokenizer   estimate-1, before and after
bytes       123,456 received, 100,000 sent
removed     1,700 tokens: 1,400 first seen, 300 repeated
simulated   −1.2 units (1 unit = the price of one uncached input token)
prefix      grown cold: too long a pause for the provider's cache
measured    12 input uncached, 34 cache read, 7 output

known spans: 41, 17 of them replaced: earlier exchanges of the conversation decided them

span  what         class      tokens         bytes          by             why not
  42  tool result  file view  3,000 → 1,300  9,000 → 4,000  columns+lines
  43  user text    narrative  30             90             stays          too short

`tokenpakctl trace req_1` shows the rooms and their milliseconds.
"""


def test_the_whole_answer(environ: dict[str, str], daemon: ControlDouble) -> None:
    daemon.answers["explain"] = EXPLAINED
    shown = run(environ, "explain", "req_1").out
    assert shown.partition("\n\n")[0].endswith("  claude-x | ok | req_1")
    assert shown.partition("\n\n")[2] == SCREEN
    assert run(environ, "explain", "req_1", "--json").json == EXPLAINED
    assert daemon.requests[0]["params"] == {"id": "req_1"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"arm": "holdout", "would_save_tokens": 900}, "arm holdout (held out: left uncompressed to compare with)"),
        ({"would_save_tokens": 900}, "would save  900 tokens, had they been removed"),
        ({"prefix_break": None}, "prefix      first request of the conversation, or not known"),
        ({"prefix_break": "us"}, "prefix      broken by TokenPak: a re-pin or masking changed what had been sent"),
        ({"prefix_break": "gremlins"}, "prefix      gremlins"),
        ({"compressors": ""}, "compressors none"),
        ({"usage": None}, "measured    the provider reported no usage"),
        ({"known_spans": 0}, "known spans: none, nothing here was decided by an earlier exchange"),
        ({"spans": []}, "new spans: none"),
        ({"spans": [], "compressors": "", "known_spans": 0}, "spans: none on record, the request went out as it came"),
        ({"spans": SPANS * 100}, "The first 200 new spans; of more there is no record."),
        ({"outcome": None}, "claude-x | in flight | req_1"),
    ],
)
def test_every_state_has_its_words(change: dict[str, Any], expected: str) -> None:
    assert expected in report(View({**EXPLAINED, **change}))


def test_an_unknown_id_is_an_error_with_the_next_command(environ: dict[str, str], daemon: ControlDouble) -> None:
    missing = {
        "code": -32002,
        "message": "no exchange nope is on record",
        "data": {"hint": "Run `tokenpakctl recent`."},
    }
    daemon.answers["explain"] = {"error": missing}
    ran = run(environ, "explain", "nope")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "tokenpakctl: no exchange nope is on record\n  Run `tokenpakctl recent`.\n"


def test_nothing_foreign_reaches_the_terminal_raw() -> None:
    evil = {**EXPLAINED, "mode": "hy\x1b[2J", "spans": [{**SPANS[0], "by": "a\nb\x9b"}]}
    assert all(line.isprintable() for line in report(View(evil)).split("\n"))
