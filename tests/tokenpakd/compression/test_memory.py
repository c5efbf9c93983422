"""What a worker remembers of conversations: bounded, one request at a time, never a byte of difference."""

import gc
import json
import tracemalloc

import pytest

from tokenpakd.compression import engine
from tokenpakd.compression.conversation import Conversation, Settings
from tokenpakd.compression.memory import BRANCHES_MAX, Memory
from tokenpakd.dialects.registry import dialect
from tokenpakd.exchange.request import DialectName, Look

SETTINGS = Settings(compressors="hybrid-1", min_cacheable_tokens=0)


def body(*results: str) -> bytes:
    messages: list[dict[str, object]] = [{"role": "user", "content": "one task"}]
    for number, text in enumerate(results):
        use = {"type": "tool_use", "id": f"t{number}", "name": "bash", "input": {"command": "ls"}}
        answer = {"type": "tool_result", "tool_use_id": f"t{number}", "content": text}
        messages += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [answer]}]
    return json.dumps({"model": "m", "messages": messages}).encode()


def looked(raw: bytes) -> Look:
    return dialect(DialectName.ANTHROPIC).look(raw, want_spans=True, path=b"/v1/messages")


def conversation(*results: str) -> Conversation:
    raw = body(*results)
    return engine.compress(raw, looked(raw), None, SETTINGS).conversation


def take(memory: Memory, *results: str, key: str = "c") -> tuple[Conversation | None, int]:
    raw = body(*results)
    return memory.take(key, raw, looked(raw))


def test_what_was_kept_is_handed_out_once() -> None:
    memory, kept = Memory(), conversation("a", "b")
    memory.keep("c", kept)
    assert memory.bytes_kept == kept.size_bytes
    assert take(memory, "a", "b", "c", key="other") == (None, 0)
    assert take(memory, "a", "b", "c") == (kept, 3)
    assert memory.bytes_kept == 0
    assert take(memory, "a", "b", "c") == (None, 0)


def test_the_branch_that_shares_most_is_taken() -> None:
    memory, short, long = Memory(), conversation("a", "x"), conversation("a", "b", "c")
    memory.keep("c", short)
    memory.keep("c", long)
    assert take(memory, "a", "b", "c", "d")[0] is long
    assert take(memory, "a", "x", "d")[0] is short


def test_a_task_begun_a_second_time_goes_on_with_its_own() -> None:
    memory, before, second = Memory(), conversation(*"abcdefgh"), conversation()
    memory.keep("c", before)
    memory.keep("c", second)
    assert take(memory, "z")[0] is second
    assert take(memory, *"abcdefghi")[0] is before


def test_a_branch_is_not_given_up_for_a_request_that_shares_little() -> None:
    memory, kept = Memory(), conversation(*"abcdefgh")
    memory.keep("c", kept)
    assert take(memory, "a", "other") == (None, 0)
    assert take(memory, *"abcdefg", "edited")[0] is kept


def test_branches_are_bounded_the_oldest_goes() -> None:
    memory = Memory()
    branches = [conversation(name, name) for name in "abcdef"[: BRANCHES_MAX + 1]]
    for branch in branches:
        memory.keep("c", branch)
    assert memory.bytes_kept == sum(branch.size_bytes for branch in branches[1:])
    assert take(memory, "a", "a") == (None, 0)
    assert take(memory, "b", "b")[0] is branches[1]


def test_the_conversation_used_longest_ago_goes_first() -> None:
    one = conversation("a").size_bytes
    memory = Memory(3 * one)
    for key in ("1", "2", "3"):
        memory.keep(key, conversation("a"))
    again, _ = take(memory, "a", key="1")
    assert again is not None
    memory.keep("1", again)
    memory.keep("4", conversation("a"))
    assert memory.bytes_kept == 3 * one
    assert take(memory, "a", key="2") == (None, 0)
    for key in ("1", "3", "4"):
        assert take(memory, "a", key=key)[0] is not None
    assert memory.bytes_kept == 0


def test_of_the_conversation_used_longest_ago_the_oldest_branch_goes_first() -> None:
    """A task that many sub-agents share may be larger than the bound: the last of its branches stay nevertheless."""
    first, second, third = (conversation(letter, letter) for letter in "abc")
    memory = Memory(second.size_bytes + third.size_bytes)
    for branch in (first, second, third):
        memory.keep("c", branch)
    assert memory.bytes_kept == second.size_bytes + third.size_bytes
    assert take(memory, "a", "a") == (None, 0)
    assert take(memory, "b", "b")[0] is second
    assert take(memory, "c", "c")[0] is third


def test_a_conversation_over_the_bound_is_not_kept() -> None:
    memory = Memory(1_000)
    memory.keep("c", conversation("x" * 5_000))
    assert memory.bytes_kept == 0


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"def function_{number}(argument): return {number} * argument" for number in range(2_000)),
        "\n".join(str(number * 7919 % 1_000_003) for number in range(20_000)),
        "\n".join(f"{number} " + "y" * 10_000 for number in range(20)),
        "\n".join(f"{number} \U0001f600 " + "y" * 10_000 for number in range(20)),
        json.dumps({f"k{n}": {f"m{m}": f"value {n} {m}" for m in range(40)} for n in range(60)}),
    ],
    ids=["code", "numbers", "long lines", "smileys", "values"],
)
def test_the_size_of_a_conversation_is_what_it_takes(text: str) -> None:
    raw = body(text)
    look = looked(raw)
    gc.collect()
    tracemalloc.start()
    kept = engine.compress(raw, look, None, SETTINGS).conversation
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] + len(raw)
    tracemalloc.stop()
    assert taken * 0.8 < kept.size_bytes < taken * 3
