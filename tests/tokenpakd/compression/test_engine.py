"""One request through the compressors: what becomes of each kind of span, and why."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tokenpakd.compression import engine, registry
from tokenpakd.compression.conversation import Conversation, Settings
from tokenpakd.compression.registry import Compressor, CompressorSet, Loss
from tokenpakd.compression.segments import Segment
from tokenpakd.compression.splice import splice
from tokenpakd.dialects.registry import dialect
from tokenpakd.exchange.request import DialectName, Look

Json = Any
HYBRID = Settings(compressors="hybrid-1", min_cacheable_tokens=0)
AGGRESSIVE = Settings(compressors="aggressive-1", min_cacheable_tokens=0)
FILE = "\n".join(f"def function_{number}(self, value):  # {number * number}" for number in range(40))


def _request(*turns: tuple[str, Json], opening: str = "go", **changes: Json) -> tuple[bytes, Look]:
    """Return a request with a command and its result in each turn; a command that is no string is the arguments."""
    messages: list[Json] = [{"role": "user", "content": opening}]
    for number, (command, content) in enumerate(turns):
        use = {"type": "tool_use", "id": f"t{number}", "name": "bash", "input": {"command": command}}
        messages += [
            {"role": "assistant", "content": [use]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"t{number}", "content": content}]},
        ]
    body = json.dumps({"model": "m", "messages": messages, **changes}).encode()
    return body, dialect(DialectName.ANTHROPIC).look(body, want_spans=True, path=b"/v1/messages")


def _texts(request: tuple[bytes, Look], how: Settings = HYBRID) -> list[str]:
    made = engine.compress(*request, None, how)
    assert made.known_spans == 0
    out = splice(request[0], made.replacements)
    look = dialect(DialectName.ANTHROPIC).look(out, want_spans=True, path=b"/v1/messages")
    return [json.loads(out[span.start : span.end]) for span in look.spans]


def _fate(*turns: tuple[str, Json], how: Settings = HYBRID, opening: str = "go") -> tuple[tuple[str, ...], str]:
    """Return by whom the last span was shortened, and why not."""
    verdict = engine.compress(*_request(*turns, opening=opening), None, how).verdicts[-1]
    return verdict.by, verdict.why


@pytest.mark.parametrize(
    ("turns", "fate"),
    [
        ([("cat a.py", FILE)], ((), "nothing shorter")),
        ([("cat a.py", FILE), ("cat b.py", FILE)], (("wholes",), "")),
        ([("cat a.py", FILE), ("sed -n 1,9p a.py", f"{FILE}\nmore")], (("lines",), "")),
        ([("ls", "ok")], ((), "too short")),
        ([("cat CLAUDE.md", FILE)], ((), "protected")),
        ([("cat a.py", FILE), ("cat CLAUDE.md", FILE)], ((), "protected")),
        ([("make", "50%\r" * 40 + "100%\n" + "done " * 30)], (("terminal",), "")),
        ([("grep -rn x", "".join(f"src/app/fields.py:{n}: x\n" for n in range(20)))], (("prefixes",), "")),
        ([("get", json.dumps([{"name": "one", "price": n} for n in range(20)]))], (("columns",), "")),
    ],
)
def test_each_result_meets_its_compressor(turns: list[tuple[str, str]], fate: tuple[tuple[str, ...], str]) -> None:
    assert _fate(*turns) == fate


def test_what_the_model_wrote_stays_and_is_pointed_at() -> None:
    request = _request((f"cat > a.py <<END\n{FILE}\nEND", ""), ("cat b.py", f"{FILE}\nmore"))
    made = engine.compress(*request, None, HYBRID)
    assert [verdict.why for verdict in made.verdicts] == ["too short", "the model's own words", "too short", ""]
    assert _texts(request)[-1] == '[40 lines as in a.py "def function_0"]\nmore'


@pytest.mark.parametrize(("tool", "by"), [(b"Edit", ()), (b"TodoWrite", ()), (b"bash", ("wholes",))])
def test_that_something_was_changed_is_said_anew_each_time(tool: bytes, by: tuple[str, ...]) -> None:
    said = "The file /home/dev/projects/app/src/app/fields.py has been updated successfully, as was asked for. " * 2
    body, _ = _request(("src/app/fields.py", said), ("src/app/fields.py", said))
    body = body.replace(b'"bash"', b'"%b"' % tool)
    look = dialect(DialectName.ANTHROPIC).look(body, want_spans=True, path=b"/v1/messages")
    assert engine.compress(body, look, None, HYBRID).verdicts[-1].by == by


def test_a_user_s_text_is_shortened_only_where_it_stands_above() -> None:
    request = _request(("cat a.py", FILE))
    document = json.loads(request[0])
    document["messages"].append({"role": "user", "content": f"why?\n{FILE}\nthanks"})
    body = json.dumps(document).encode()
    look = dialect(DialectName.ANTHROPIC).look(body, want_spans=True, path=b"/v1/messages")
    assert _texts((body, look))[-1] == 'why?\n[40 lines as in a.py "def function_0"]\nthanks'
    assert _fate(opening=f"{FILE}\n{FILE}") == ((), "nothing shorter"), "nothing within one text of a user's"


@pytest.mark.parametrize(
    ("literal", "why"),
    [
        (b'"' + rb"\ud83d" + b"x" * 200 + b'"', "not readable"),
        (b'"' + b"x" * (engine.BLOCK_BYTES_MAX - 1) + b'"', "too long"),
    ],
)
def test_what_cannot_be_read_stays(literal: bytes, why: str) -> None:
    body, _ = _request(("cat a.py", "HERE"), ("cat b.py", "HERE"))
    body = body.replace(b'"HERE"', literal)
    look = dialect(DialectName.ANTHROPIC).look(body, want_spans=True, path=b"/v1/messages")
    made = engine.compress(body, look, None, HYBRID)
    assert [verdict.why for verdict in made.verdicts][1:] == [why, why]
    assert not made.replacements


def _swap(monkeypatch: pytest.MonkeyPatch, *compressors: Compressor) -> None:
    found = CompressorSet(name="hybrid-1", block_local=compressors)
    monkeypatch.setattr(registry, "compressor_set", lambda name: found)


def test_a_compressor_that_fails_costs_a_saving_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(text: str, segment: Segment) -> str | None:
        raise KeyError(text)

    _swap(monkeypatch, Compressor(name="broken", loss=Loss.NONE, shorten=broken))
    assert _fate(("make", FILE)) == ((), "failed (KeyError)")
    assert _texts(_request(("make", FILE), ("make", FILE))) == ["go", FILE, FILE]


def test_what_is_longer_in_tokens_or_bytes_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"{}[]": "{}[]" * 40, "beyond ASCII": "é" * 200, "longer": f"{FILE}x"}
    for text in said.values():
        _swap(monkeypatch, Compressor(name="odd", loss=Loss.NONE, shorten=_saying(text)))
        assert _fate(("make", "word " * 50)) == ((), "nothing shorter")


def _saying(said: str) -> Callable[[str, Segment], str | None]:
    return lambda text, segment: said


def test_two_outputs_that_lost_their_difference_are_not_called_the_same() -> None:
    def passed(name: str) -> str:
        lines = "".join(f"tests/test_{name}.py::test_{n} PASSED [ {n}%]\n" for n in range(90))
        head = "platform linux -- Python 3.11.7, pytest-8.4.2, pluggy-1.6.0\nrootdir: /home/me/project\n"
        return f"==== test session starts ====\n{head}\n{lines}==== 90 passed in 1.02s ====\n"

    texts = _texts(_request(("pytest -v a", passed("a")), ("pytest -v b", passed("b"))), AGGRESSIVE)
    assert "same output" not in texts[2]
    same = _texts(_request(("pytest -v a", passed("a")), ("pytest -v b", passed("a"))), AGGRESSIVE)
    assert same[2] == '[same output as your earlier "pytest -v a" (bash), unchanged]'


def test_nothing_is_shortened_before_the_smallest_prompt_that_is_cached() -> None:
    least = Settings(compressors="hybrid-1", min_cacheable_tokens=1024)
    turns = [("cat a.py", FILE), ("cat b.py", FILE), ("cat c.py", FILE)]
    assert _fate(*turns[:2], how=least) == ((), "before the smallest prompt that is cached")
    assert _fate(*turns[:2], how=least, opening="please. " * 700) == (("wholes",), "")
    assert _fate(*turns, ("cat d.py", FILE), how=least) == (("wholes",), "")


def test_text_between_the_spans_that_changes_undoes_what_hung_on_it() -> None:
    """An assistant's words are no span, but they count among what stands before one."""
    least = Settings(compressors="hybrid-1", min_cacheable_tokens=1024)

    def request(said: str) -> tuple[bytes, Look]:
        body, _ = _request(("cat a.py", FILE), ("cat b.py", FILE))
        document = json.loads(body)
        document["messages"].insert(1, {"role": "assistant", "content": said})
        body = json.dumps(document).encode()
        return body, dialect(DialectName.ANTHROPIC).look(body, want_spans=True, path=b"/v1/messages")

    long, short = request("words " * 1_000), request("words")
    for first, second in ((long, short), (short, long)):
        known = engine.compress(*first, None, least).conversation
        after = engine.compress(*second, known, least)
        assert after.replacements == engine.compress(*second, None, least).replacements
    assert engine.compress(*long, None, least).replacements
    assert not engine.compress(*short, None, least).replacements


def test_masked_results_say_whose_they_were() -> None:
    how = Settings(compressors="hybrid-1", min_cacheable_tokens=0, masked_spans=3)
    texts = _texts(_request(("cat a.py", FILE), ("cat b.py", FILE), ("cat c.py", FILE), ("ls", FILE)), how)
    assert texts[1:3] == [f'[old output of your earlier "cat {name}.py" (bash) left out]' for name in "ab"]
    assert texts[3] == FILE, "the first one that stands"
    assert texts[4] == '[same output as your earlier "cat c.py" (bash), unchanged]'


def test_a_mask_is_never_longer_than_what_it_stands_for() -> None:
    how = Settings(compressors="hybrid-1", min_cacheable_tokens=0, masked_spans=9)
    command = "\x01" * 60
    document = json.loads(_request((command, "x" * 400))[0])
    document["messages"][1]["content"][0]["name"] = "\x02" * 64
    body = json.dumps(document).encode()
    look = dialect(DialectName.ANTHROPIC).look(body, want_spans=True, path=b"/v1/messages")
    made = engine.compress(body, look, None, how)
    assert len(splice(body, made.replacements)) <= len(body)


@pytest.mark.parametrize("name", ["hybrid-99", "of tomorrow"])
def test_a_set_of_a_later_version_leaves_everything(name: str) -> None:
    how = Settings(compressors=name, min_cacheable_tokens=0)
    known: Conversation | None = None
    for turns in ([("a", FILE)], [("a", FILE), ("b", FILE)], [("a", "other"), ("b", FILE)], [("a", FILE)] * 3):
        body, look = _request(*turns)
        made = engine.compress(body, look, known, how)
        known = made.conversation
        assert not made.replacements
        assert {verdict.why for verdict in made.verdicts} == {"unknown set of compressors"}
        assert len(made.verdicts) == len(look.spans)


def test_conversations_that_began_with_the_first_version_go_on_in_its_words() -> None:
    how = Settings(compressors="repeats-1")
    request = _request(("cat a.py", FILE), ("cat b.py", f"{FILE}\nmore"), ("cat c.py", FILE))
    texts = _texts(request, how)
    assert texts[2] == f"{FILE}\nmore"
    assert texts[3] == '[same output as your earlier "cat a.py" (bash), unchanged]'
    known = engine.compress(*request, None, how).conversation
    longer = _request(*[(f"cat {name}.py", FILE) for name in "abcd"])
    fresh = engine.compress(*longer, None, how)
    assert engine.compress(*longer, known, how).replacements == fresh.replacements


def test_tokens_are_counted_the_same_way_before_and_after() -> None:
    made = engine.compress(*_request(("cat a.py", FILE), ("cat b.py", FILE)), None, HYBRID)
    kept, replaced = made.verdicts[1], made.verdicts[2]
    assert kept.tokens_before == kept.tokens_after == replaced.tokens_before
    assert 0 < replaced.tokens_after < replaced.tokens_before
    assert replaced.segment is kept.segment is Segment.CODE


def test_a_body_without_spans_has_nothing_to_decide() -> None:
    look = Look(dialect=DialectName.ANTHROPIC)
    made = engine.compress(b"{}", look, None, HYBRID)
    assert (made.replacements, made.verdicts) == ((), ())
    assert engine.compress(b"{}", msgspec.structs.replace(look), made.conversation, HYBRID).verdicts == ()


def test_comments_that_a_view_left_out_are_in_the_next_view_of_the_file() -> None:
    def view(first: int, last: int) -> str:
        return "".join(
            f"def function_{number}(self, value):\n"
            + "".join(f"    # remark {line} on what function {number} is for and why\n" for line in range(6))
            + f"    return value * {number}\n\n\n"
            for number in range(first, last)
        )

    turns = [("cat src/a.py", view(0, 9)), ("sed -n 50,140p src/a.py", view(5, 14)), ("ls", "nothing")]
    shown = _texts(_request(*turns), AGGRESSIVE)[1:]
    assert "comment lines]" in shown[0]
    assert "remark 3 on what function 7" not in shown[0]
    assert "comment lines]" not in shown[1]
    assert "remark 3 on what function 7" in shown[1]
    request = _request(*turns)
    known = engine.compress(*_request(turns[0]), None, AGGRESSIVE).conversation
    known = engine.compress(*request, known, AGGRESSIVE).conversation
    known = engine.compress(*_request(*turns[1:]), known, AGGRESSIVE).conversation
    assert (
        engine.compress(*request, known, AGGRESSIVE).replacements
        == engine.compress(*request, None, AGGRESSIVE).replacements
    )
