"""What `tokenpakctl savings` and `explain` tell of a conversation that went through a real daemon."""

import json
from pathlib import Path
from typing import Any

from tests.playbook.daemon import Running, start_daemon
from tests.playbook.raw_client import ask
from tests.playbook.scripted_provider import ScriptedProvider
from tests.playbook.scripted_wire import OUT, READ, UNCACHED
from tests.playbook.traffic import eventually

LISTING = "\n".join(f"src/module_{number}.py: def function_{number}(): return {number}" for number in range(200))


def conversation(first: str, turns: int) -> bytes:
    """Return a request in which the same listing was read `turns` times."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": first}]
    for turn in range(turns):
        call = {"type": "tool_use", "id": f"toolu_{turn}", "name": "bash", "input": {"command": "cat listing.txt"}}
        result = {"type": "tool_result", "tool_use_id": f"toolu_{turn}", "content": LISTING}
        messages += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    return json.dumps({"model": "claude-sonnet-4-5", "max_tokens": 8, "messages": messages}).encode()


def send(daemon: Running, body: bytes, *headers: tuple[str, str]) -> str:
    """Send a request; return its id."""
    reply = ask(daemon.port, "/v1/messages", method="POST", headers=[("x-api-key", "k"), *headers], body=body)
    assert reply.status == 200, reply.body
    return dict(reply.headers)["x-tokenpak-request-id"]


def told(daemon: Running, *arguments: str) -> Any:
    """Return what tokenpakctl answers, parsed."""
    done = daemon.control(*arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_conversation_with_repeats_is_accounted_for_and_explained(tmp_path: Path) -> None:
    with ScriptedProvider() as provider, start_daemon(tmp_path, {"anthropic": provider.url}) as daemon:
        ids = [send(daemon, conversation("fix the bug", turns)) for turns in (1, 2, 3)]
        savings = told(daemon, "savings", "--since", "1h", "--by", "arm")
        total = savings["total"]
        assert (total["requests"], total["conversations"]) == (3, 1)
        assert total["removed"]["first_seen"] > 1_000
        assert total["removed"]["known"] > 1_000
        measured = total["measured"]
        assert (measured["input_uncached"], measured["cache_read"]) == (3 * UNCACHED, 3 * READ)
        assert measured["output"] == 3 * OUT
        assert total["simulated"]["milli_units"] > 0
        assert total["prefix_breaks"] == {"none": 2, "client": 0, "us": 0, "ttl": 0, "model": 0, "tools": 0}
        assert [group["key"] for group in savings["groups"]] == ["on"]
        assert savings["share"] > 0
        assert savings["holdout"] is None
        shown = daemon.control("savings").stdout
        assert f"{total['removed']['first_seen']:,}" in shown
        assert "confidence" in shown

        explained = told(daemon, "explain", ids[2])
        assert (explained["mode"], explained["arm"], explained["prefix_break"]) == ("hybrid", "on", "none")
        assert explained["compressors"]
        assert explained["known_replaced"] == 1
        [replaced] = [span for span in explained["spans"] if span["by"]]
        assert replaced["kind"] == "tool_result"
        assert replaced["tokens_after"] < replaced["tokens_before"] / 10
        assert replaced["bytes_after"] < replaced["bytes_before"]
        assert LISTING[:40] not in json.dumps(explained)
        shown = daemon.control("explain", ids[2]).stdout
        assert "1 of them replaced: earlier exchanges of the conversation decided them" in shown
        assert f"tokenpakctl explain {ids[2]}" in daemon.control("trace", ids[2]).stdout


def test_what_would_have_been_saved_in_strict_is_told_apart(tmp_path: Path) -> None:
    with ScriptedProvider() as provider, start_daemon(tmp_path, {"anthropic": provider.url}) as daemon:
        request_id = send(daemon, conversation("fix the bug", 3), ("x-tokenpak-mode", "strict"))
        # Worked out when the answer is gone.
        eventually(lambda: bool(told(daemon, "explain", request_id)["would_save_tokens"]), "what would have been saved")
        total = told(daemon, "savings")["total"]
        assert total["would_save"]["tokens"] > 2_000
        assert total["removed"] == {"total": 0, "first_seen": 0, "known": 0}


def test_a_conversation_that_is_held_out_goes_untouched_and_is_an_arm(tmp_path: Path) -> None:
    held_out: dict[str, object] = {"compression": {"holdout": 1.0}}
    with ScriptedProvider() as provider, start_daemon(tmp_path, {"anthropic": provider.url}, held_out) as daemon:
        body = conversation("fix the bug", 3)
        request_id = send(daemon, body)
        assert provider.seen[-1].body == body
        assert told(daemon, "explain", request_id)["arm"] == "holdout"
        [group] = told(daemon, "savings", "--by", "arm")["groups"]
        assert (group["key"], group["requests"], group["removed"]["total"]) == ("holdout", 1, 0)


def test_repositories_and_unknown_ids_are_answered_plainly(tmp_path: Path) -> None:
    with ScriptedProvider() as provider, start_daemon(tmp_path, {"anthropic": provider.url}) as daemon:
        assert "nothing on record" in daemon.control("savings").stdout
        by_repo = daemon.control("savings", "--by", "repo")
        assert (by_repo.returncode, by_repo.stdout) == (1, "")
        assert "repositories are not recorded yet" in by_repo.stderr
        unknown = daemon.control("explain", "req_nobody")
        assert (unknown.returncode, unknown.stdout) == (1, "")
        assert "no exchange req_nobody is on record" in unknown.stderr
        assert daemon.control("savings", "--since", "tomorrow").returncode == 2
