"""Strict keeps the object; any failure keeps the original."""

import json

import msgspec
import pytest

from tests.tokenpakd.dataplane.fakes import plan, snapshot
from tokenpakd.compression import registry, splice
from tokenpakd.dataplane.plan import Plan
from tokenpakd.dataplane.stages import compress, parse
from tokenpakd.exchange.request import Span, SpanKind
from tokenpakd.tip.modes import Mode

TEXT = "\n".join(f"line {number} of a file that is read twice, word for word" for number in range(80))


def twice() -> bytes:
    """Return a conversation that reads one file two times."""
    messages: list[dict[str, object]] = [{"role": "user", "content": "read it"}]
    for turn in ("t1", "t2"):
        use = {"type": "tool_use", "id": turn, "name": "Read", "input": {"file_path": "a.txt"}}
        result = {"type": "tool_result", "tool_use_id": turn, "content": TEXT}
        messages += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    return json.dumps({"model": "claude-sonnet-4-5", "messages": messages}).encode()


def looked(mode: Mode, body: bytes, target: bytes = b"/v1/messages") -> Plan:
    given = plan(body=body, target=target, snapshot=snapshot(mode=mode))
    return parse.look(given, lambda conversation, epoch: None)[0]


def test_strict_keeps_the_object() -> None:
    given = looked(Mode.STRICT, twice())
    after, said = compress.apply(given)
    assert after is given
    assert said == "untouched"


@pytest.mark.parametrize("mode", [Mode.HYBRID, Mode.AGGRESSIVE])
def test_what_is_there_already_is_sent_once(mode: Mode) -> None:
    given = looked(mode, twice())
    after, said = compress.apply(given)
    assert after.body is not None
    assert len(after.body) < len(twice())
    assert after.received == twice()
    assert after.spans_replaced >= 1
    assert after.saved_tokens > 0
    assert said == f"{after.spans_replaced} spans, {after.saved_tokens} tokens"
    assert json.loads(after.body)["messages"][2]["content"][0]["content"] == TEXT, "once, verbatim"


def test_only_conversations_are_touched() -> None:
    given = looked(Mode.HYBRID, twice(), b"/v1/messages/count_tokens")
    assert compress.apply(given) == (given, "untouched")
    unread = msgspec.structs.replace(given, body=None)
    assert compress.apply(unread) == (unread, "untouched")


def test_nothing_to_do_keeps_the_object() -> None:
    plain = looked(Mode.HYBRID, b'{"model":"m","messages":[{"role":"user","content":"hi"}]}')
    assert compress.apply(plain)[0] is plain


class Broken:
    def __init__(self, found: list[splice.Replacement] | None) -> None:
        self._found = found

    def replacements(self, body: bytes, spans: tuple[Span, ...]) -> list[splice.Replacement]:
        del body, spans
        if self._found is None:
            raise ValueError("of ours")
        return self._found


@pytest.mark.parametrize(
    "found",
    [
        None,
        [splice.Replacement(0, 10**9, b'""')],
        [splice.Replacement(10, 20, b'""'), splice.Replacement(15, 25, b'""')],
        [splice.Replacement(0, 2, b'"' + b"longer" * 10_000 + b'"')],
        [],
    ],
    ids=["raises", "out of bounds", "overlap", "longer", "nothing"],
)
def test_a_compressor_at_fault_keeps_the_original(
    monkeypatch: pytest.MonkeyPatch, found: list[splice.Replacement] | None
) -> None:
    monkeypatch.setattr(registry, "compressors", lambda mode: (Broken(found),))
    given = msgspec.structs.replace(looked(Mode.HYBRID, twice()))
    after, said = compress.apply(given)
    assert after is given
    assert said.startswith(("kept the original", "nothing repeated"))


def test_a_span_out_of_bounds_keeps_the_original() -> None:
    given = looked(Mode.HYBRID, twice())
    spans = (Span(0, 10**9, SpanKind.TOOL_RESULT), Span(5, 1, SpanKind.TOOL_RESULT))
    given = msgspec.structs.replace(given, look=msgspec.structs.replace(given.look, spans=spans))
    assert compress.apply(given)[0].body is given.body
