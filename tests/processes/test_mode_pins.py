"""A conversation keeps the mode it began with: over a change of mode, a killed worker, a new daemon."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from tests.playbook.daemon import Running, start_daemon
from tests.playbook.raw_client import ask
from tests.playbook.scripted_provider import ScriptedProvider

LISTING = "\n".join(f"src/module_{number}.py: def function_{number}(): return {number}" for number in range(40))


def conversation(first: str, turns: int) -> bytes:
    """Return a request in which the same listing was read `turns` times."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": first}]
    for turn in range(turns):
        call = {"type": "tool_use", "id": f"toolu_{turn}", "name": "bash", "input": {"command": "cat listing.txt"}}
        result = {"type": "tool_result", "tool_use_id": f"toolu_{turn}", "content": LISTING}
        messages += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    return json.dumps({"model": "claude-sonnet-4-5", "max_tokens": 8, "messages": messages}).encode()


def send(daemon: Running, provider: ScriptedProvider, body: bytes, *headers: tuple[str, str]) -> tuple[str, bytes]:
    """Send a request; return the mode it was carried in and the body that reached the provider."""
    reply = ask(daemon.port, "/v1/messages", method="POST", headers=[("x-api-key", "k"), *headers], body=body)
    assert reply.status == 200, reply.body
    return dict(reply.headers)["x-tokenpak-mode"], provider.seen[-1].body


def wait_for_worker(daemon: Running, *, other_than: int) -> int:
    deadline_s = time.monotonic() + 10
    while time.monotonic() < deadline_s:
        workers = json.loads(daemon.control("status", "--json").stdout)["workers"]
        for worker in workers:
            if worker["name"].startswith("data-plane") and worker["state"] == "ready" and worker["pid"] != other_than:
                return int(worker["pid"])
    raise AssertionError("no new worker became ready")


def test_a_conversation_keeps_its_mode_and_its_prefix(tmp_path: Path) -> None:
    with ScriptedProvider() as provider:
        providers = {"anthropic": provider.url}
        with start_daemon(tmp_path, providers=providers) as daemon:
            mode, first = send(daemon, provider, conversation("fix the bug", 2))
            assert mode == "hybrid"
            assert first.count(LISTING.splitlines()[7].encode()) == 1
            daemon.control("mode", "strict")
            mode, second = send(daemon, provider, conversation("fix the bug", 3))
            assert mode == "hybrid"
            assert second.startswith(first[:-2])
            assert send(daemon, provider, conversation("another task", 2))[0] == "strict"
            old = wait_for_worker(daemon, other_than=0)
            os.kill(old, signal.SIGKILL)
            wait_for_worker(daemon, other_than=old)
            assert send(daemon, provider, conversation("fix the bug", 4))[1].startswith(second[:-2])
            daemon.stop()
        with start_daemon(tmp_path, providers=providers, flags=["--mode", "strict"]) as daemon:
            mode, third = send(daemon, provider, conversation("fix the bug", 5))
            assert mode == "hybrid"
            assert third.startswith(second[:-2])
            daemon.control("mode", "strict", "--now")
            body = conversation("fix the bug", 6)
            assert send(daemon, provider, body) == ("strict", body)


def test_a_header_decides_one_request_and_a_pause_turns_everything_off(tmp_path: Path) -> None:
    body = conversation("hello", 2)
    with ScriptedProvider() as provider, start_daemon(tmp_path, providers={"anthropic": provider.url}) as daemon:
        assert send(daemon, provider, body, ("x-tokenpak-mode", "strict")) == ("strict", body)
        assert send(daemon, provider, body) == ("strict", body)
        assert send(daemon, provider, body, ("x-tokenpak-mode", "hybrid"))[0] == "hybrid"
        assert len(provider.seen[-1].body) < len(body)
        daemon.control("pause", "1")
        assert send(daemon, provider, body, ("x-tokenpak-mode", "hybrid")) == ("strict", body)
        daemon.control("resume")
        assert send(daemon, provider, body, ("x-tokenpak-mode", "hybrid"))[0] == "hybrid"
        bad = ask(daemon.port, "/v1/messages", method="POST", headers=[("x-tokenpak-mode", "fast")], body=body)
        assert bad.status == 400
        assert json.loads(bad.body)["type"] == "error"
