"""A fault anywhere in the engine costs a saving: the request goes out, and no later one points at what never was."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests.playbook.decoding import decoded, is_told_back
from tests.properties.conversations import Turn, anthropic, looked, settings, written
from tests.tokenpakd.dataplane.fakes import plan, snapshot
from tokenpakd.compression import conversation, engine, json_result, lines, splice, values, wholes
from tokenpakd.compression.memory import Memory
from tokenpakd.config import cache_terms
from tokenpakd.dataplane.stages import compress
from tokenpakd.dataplane.stages.compress import Known
from tokenpakd.exchange.request import DialectName

NAME = DialectName.ANTHROPIC
SECRET = "what the user wrote"
SETTINGS = settings()
FILE = "\n".join(f"def function_{n}(left, right): return left * {n}" for n in range(40))
RECORD = {"owner": {"name": "somebody", "street": "a street with a long name", "city": "somewhere"}, "open": True}
TURNS = [
    Turn("bash", {"command": "cat a.py"}, FILE),
    Turn("get_order", {"id": "5"}, json.dumps(RECORD, indent=2)),
    Turn("bash", {"command": "cat b.py"}, f"# another\n{FILE}\n# end"),
    Turn("get_order", {"id": "6"}, json.dumps({**RECORD, "open": False})),
    Turn("bash", {"command": "cat a.py again"}, FILE),
    Turn("bash", {"command": "grep -n left a.py"}, "\n".join(f"src/a/b/c.py:{n}:left {n}" for n in range(30))),
    Turn("bash", {"command": "tail a.py"}, "\n".join(FILE.split("\n")[20:])),
    Turn("get_order", {"id": "7"}, json.dumps({**RECORD, "open": None})),
]
PLACES: list[tuple[Any, str]] = [
    (lines.LineIndex, "learn"),
    (lines.LineIndex, "fold"),
    (lines.LineIndex, "rollback"),
    (wholes.WholeIndex, "answered"),
    (wholes.WholeIndex, "pointer"),
    (wholes.WholeIndex, "learn"),
    (values.ValueIndex, "encode"),
    (values.ValueIndex, "learn"),
    (conversation.Conversation, "begin_span"),
    (conversation.Conversation, "end_span"),
    (conversation.Conversation, "adopt"),
    (json_result, "encode"),
    (json_result, "learn"),
    (engine, "segment_of"),
    (engine, "estimate"),
    (engine, "first_cacheable"),
    (splice, "splice"),
]


class _Failing:
    """Fails at the nth call, before or after what it stands for has done its work."""

    def __init__(self, real: Callable[..., Any], nth: int, *, is_after: bool) -> None:
        self._real, self._left, self._is_after = real, nth, is_after
        self.has_failed = False

    def __get__(self, instance: object, owner: type) -> Callable[..., Any]:
        return lambda *arguments, **named: self(instance, *arguments, **named)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self._left -= 1
        if self._left:
            return self._real(*arguments, **named)
        if self._is_after:
            self._real(*arguments, **named)
        self.has_failed = True
        raise RuntimeError(SECRET)


def _check(body: bytes, out: bytes) -> None:
    """Check that a reader makes of a request what was to be said."""
    sent, raw = looked(NAME, out), looked(NAME, body)
    for span, text in zip(raw.spans, decoded(out, sent.spans), strict=True):
        assert is_told_back(json.loads(body[span.start : span.end]), span.call, ("columns",), text or "")


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("owner", "name"), PLACES, ids=[f"{owner.__name__}.{name}" for owner, name in PLACES])
def test_a_fault_anywhere_leaves_later_requests_right(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, *, is_after: bool
) -> None:
    terms = cache_terms.load().terms_for("m", NAME)
    has_failed = 0
    for nth in (1, 2, 3, 5, 8, 13):
        memory = Memory()
        for count in (2, 3, 5, 4, 6, 8, 8):
            body = written(anthropic(TURNS[:count]))
            given = msgspec.structs.replace(
                plan(body=body, snapshot=snapshot()), look=looked(NAME, body), compressors=SETTINGS.compressors
            )
            failing = _Failing(getattr(owner, name), nth if count < 6 else 0, is_after=is_after)
            with monkeypatch.context() as patched:
                known = Known(*memory.take("key", body, given.look))
                patched.setattr(owner, name, failing)
                found, said, kept = compress.apply(given, SETTINGS, known, terms)
            has_failed += failing.has_failed
            assert SECRET not in said
            assert found.body is not None
            _check(body, found.body)
            if kept is None:
                assert found.body == body
                assert said == "kept the original (RuntimeError)"
            else:
                assert not any(SECRET in verdict.why for verdict in kept.verdicts)
                memory.keep("key", kept)
            if failing.has_failed and kept is not None:
                assert "failed (RuntimeError)" in [verdict.why for verdict in kept.verdicts]
    assert has_failed
