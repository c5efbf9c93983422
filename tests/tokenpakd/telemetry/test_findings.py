import pytest

from tokenpakd.exchange.request import DialectName
from tokenpakd.exchange.usage import Usage
from tokenpakd.telemetry.findings import LONGEST_MODEL, Findings

ANTHROPIC, GEMINI, OLLAMA = DialectName.ANTHROPIC, DialectName.GEMINI, DialectName.OLLAMA


def test_the_later_message_wins_and_leaves_what_it_does_not_name() -> None:
    findings = Findings(ANTHROPIC)
    assert findings.take(b'{"type":"message_start","message":{"usage":{"input_tokens":9,"output_tokens":1}}}')
    assert findings.take(b'{"type":"message_delta","usage":{"output_tokens":4,"input_tokens":null}}')
    assert findings.take(b'{"type":"message_delta","usage":{"output_tokens":6}}')
    assert findings.usage() == Usage(input_uncached=9, output=6)
    assert not findings.has_ended


@pytest.mark.parametrize(
    ("dialect", "message", "has_ended"),
    [
        (ANTHROPIC, b'{"type":"message_stop"}', True),
        (ANTHROPIC, b'{"type":"content_block_start","content_block":{"type":"message_stop"}}', False),
        (GEMINI, b'{"candidates":[{"finishReason":"STOP"}]}', True),
        (GEMINI, b'{"candidates":[{"content":{"parts":[{"functionCall":{"args":{"finishReason":"x"}}}]}}]}', False),
        (OLLAMA, b'{"done":true}', True),
        (OLLAMA, b'{"done":false,"message":{"tool_calls":[{"function":{"arguments":{"done":true}}}]}}', False),
        (OLLAMA, b'{"done":"true"}', False),
    ],
)
def test_only_the_dialects_own_mark_ends_a_stream(dialect: DialectName, message: bytes, has_ended: bool) -> None:
    findings = Findings(dialect)
    assert findings.take(message)
    assert findings.has_ended is has_ended


def test_the_first_model_named_stays_and_is_short() -> None:
    findings = Findings(DialectName.OPENAI_CHAT)
    findings.take(b'{"model":""}')
    findings.take(b'{"model":"' + b"m" * 1000 + b'"}')
    findings.take(b'{"model":"other"}')
    assert findings.model == "m" * LONGEST_MODEL


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"nonsense", b'{"message":[1]}', b"[" * 100_000])
def test_what_cannot_be_read_is_counted_and_changes_nothing(text: bytes) -> None:
    findings = Findings(ANTHROPIC)
    assert not findings.take(text)
    assert (findings.unreadable, findings.usage(), findings.model, findings.error_code) == (1, None, None, None)


def test_an_array_is_read_whole_or_not_at_all() -> None:
    torn, findings = Findings(GEMINI), Findings(GEMINI)
    assert not torn.take_array(b'[{"modelVersion":"g"},{"usageMetadata":')
    assert torn.model is None
    assert findings.take_array(b'[{"modelVersion":"g"},{"usageMetadata":{"promptTokenCount":3}}]')
    assert (findings.model, findings.usage()) == ("g", Usage(input_uncached=3))
