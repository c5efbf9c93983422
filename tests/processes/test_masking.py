"""A mask that was raised holds over a killed worker and a new daemon, byte for byte."""

import json
import os
import signal
from pathlib import Path
from typing import Any

from tests.playbook.daemon import Running, start_daemon
from tests.playbook.raw_client import ask
from tests.playbook.scripted_provider import ScriptedProvider
from tests.playbook.traffic import eventually

MASKING: dict[str, object] = {"mode": "aggressive", "compression": {"masking": True}}
TURNS = 30
"""Twenty beyond the newest ten."""
OLD = b"left out]"


def text(number: int) -> str:
    return "\n".join(f"step {number}, {line}: alpha{number * 7 + line} beta{number ^ line}" for line in range(40))


def conversation(turns: int) -> bytes:
    """Return an agent's request without cache markers: its provider caches nothing, so masking pays early."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Find out why it fails. " * 50}]
    for number in range(turns):
        call = {"type": "tool_use", "id": f"t{number}", "name": "bash", "input": {"command": f"./step {number}"}}
        result = {"type": "tool_result", "tool_use_id": f"t{number}", "content": text(number)}
        messages += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    return json.dumps({"model": "claude-sonnet-4-5", "max_tokens": 8, "messages": messages}).encode()


def send(daemon: Running, provider: ScriptedProvider, turns: int) -> tuple[str, bytes]:
    """Send a request; return its id and the body that reached the provider."""
    reply = ask(daemon.port, "/v1/messages", method="POST", headers=[("x-api-key", "k")], body=conversation(turns))
    assert reply.status == 200, reply.body
    return dict(reply.headers)["x-tokenpak-request-id"], provider.seen[-1].body


def worker(daemon: Running, *, other_than: int = 0) -> int:
    """Return the process id of the data plane once it is ready."""

    def found() -> int:
        workers = json.loads(daemon.control("status", "--json").stdout)["workers"]
        ready = [each["pid"] for each in workers if each["name"].startswith("data-plane") and each["state"] == "ready"]
        return next((int(pid) for pid in ready if pid != other_than), 0)

    eventually(lambda: found() > 0, "a worker")
    return found()


def test_a_mask_outlives_worker_and_daemon(tmp_path: Path) -> None:
    with ScriptedProvider() as provider:
        providers = {"anthropic": provider.url}
        with start_daemon(tmp_path, providers, MASKING) as daemon:
            assert OLD not in send(daemon, provider, TURNS - 2)[1]
            assert OLD not in send(daemon, provider, TURNS - 1)[1]
            request_id, masked = send(daemon, provider, TURNS)
            assert masked.count(OLD) >= 20
            assert json.dumps(text(TURNS - 10)).encode() in masked
            told = json.loads(daemon.control("trace", request_id, "--json").stdout)
            assert json.loads(daemon.control("explain", request_id, "--json").stdout)["prefix_break"] == "us"
            [room] = [room for room in told["rooms"] if room["room"] == "compress"]
            assert "masked up to span" in room["decided"]
            old = worker(daemon)
            os.kill(old, signal.SIGKILL)
            worker(daemon, other_than=old)
            again = send(daemon, provider, TURNS)[1]
            assert again == masked
            assert send(daemon, provider, TURNS + 1)[1].startswith(masked[:-2])
            lines = [json.loads(line) for line in daemon.log.splitlines() if "conversation_masked" in line]
            assert len(lines) == 1, "once, with counts only"
            assert set(lines[0]) == {
                "at_unix_ms", "level", "logger", "message", "conversation", "masked_spans", "spans", "tokens",
            }  # fmt: skip
            daemon.stop()
        with start_daemon(tmp_path, providers, {"mode": "hybrid"}) as daemon:
            assert send(daemon, provider, TURNS + 1)[1].startswith(masked[:-2])
            assert send(daemon, provider, TURNS)[1] == masked


def test_masking_is_off_unless_it_is_switched_on(tmp_path: Path) -> None:
    with ScriptedProvider() as provider, start_daemon(tmp_path, {"anthropic": provider.url}) as daemon:
        daemon.control("mode", "aggressive")
        for turns in (TURNS - 1, TURNS, TURNS + 1, TURNS + 2):
            assert OLD not in send(daemon, provider, turns)[1]
