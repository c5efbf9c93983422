"""What the provider receives begins with what it received before, whatever happens to the daemon in between.

Request k+1 of a conversation is compared with request k as the provider got them: the frame before all messages, then
message by message, cache markers and the spelling of a single text aside. That is what its prompt cache compares.
"""

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.playbook.agent_session import TARGETS, Message, ends, frame_and_messages, recorded, request, written
from tests.playbook.daemon import Running, start_daemon
from tests.playbook.raw_client import ask
from tests.playbook.scripted_provider import ScriptedProvider
from tests.playbook.traffic import eventually, is_serving

WIRES = ("anthropic", "chat", "responses")
RECORDED = "pvlib-python-1606"


def place_of_change(before: bytes, after: bytes) -> int | None:
    """Return the first message that was sent otherwise than before, -1 for what stands before them, None for none."""
    (old_frame, old), (new_frame, new) = frame_and_messages(before), frame_and_messages(after)
    if old_frame != new_frame:
        return -1
    return next((index for index, message in enumerate(old) if new[index : index + 1] != [message]), None)


class Session:
    """One conversation on one wire: sends its requests in turn and looks at what arrives."""

    def __init__(self, provider: ScriptedProvider, wire: str, messages: list[Message], *, task: str = "") -> None:
        self.wire = wire
        self.sent = b""
        self.raw = b""
        self.ids: list[str] = []
        self._provider = provider
        self._messages = [dict(message) for message in messages]
        self._messages[1]["content"] += f" {wire} {task}"
        self._ends = ends(messages)
        self.at = 0

    def ask(self, daemon: Running, *headers: tuple[str, str], end: int | None = None, **more: object) -> int | None:
        """Send the next request, or the one that ends there; return where it departs from the one before."""
        if end is None:
            end, self.at = self._ends[self.at], self.at + 1
        self.raw = request(self.wire, self._messages, end, **more)
        fields = [("x-api-key", "k")] if self.wire == "anthropic" else [("authorization", "Bearer k")]
        count = len(self._provider.seen)
        reply = ask(daemon.port, TARGETS[self.wire], method="POST", headers=[*fields, *headers], body=self.raw)
        assert reply.status == 200, reply.body
        assert len(self._provider.seen) == count + 1
        before, self.sent = self.sent, self._provider.seen[-1].body
        self.ids.append(dict(reply.headers)["x-tokenpak-request-id"])
        assert len(frame_and_messages(self.sent)[1]) == len(frame_and_messages(self.raw)[1])
        return place_of_change(before, self.sent) if before else None

    def edit(self, index: int, text: str) -> None:
        """Change what a message says."""
        self._messages[index] = {**self._messages[index], "content": text}


class Stage:
    """A daemon that comes and goes in one folder, in front of one provider."""

    def __init__(self, folder: Path, provider: ScriptedProvider, config: dict[str, object]) -> None:
        self.provider = provider
        self.config = config
        self._folder = folder
        self._stack = contextlib.ExitStack()
        self.daemon = self._start({})

    def _start(self, env: dict[str, str], config: dict[str, object] | None = None) -> Running:
        endpoints = {"anthropic": self.provider.url, "openai": self.provider.url}
        return self._stack.enter_context(start_daemon(self._folder, endpoints, config or self.config, env))

    def close(self) -> None:
        self._stack.close()

    def told(self, *arguments: str) -> Any:
        """Return what tokenpakctl answers, parsed."""
        done = self.daemon.control(*arguments, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def kill_worker(self) -> None:
        """End the data plane the hard way and wait until another one serves."""
        [old] = self._pids()
        os.kill(old, signal.SIGKILL)
        eventually(lambda: bool(self._pids() - {old}), "a new worker")

    def _pids(self) -> set[int]:
        return {view["pid"] for view in self.told("status")["workers"] if is_serving(view, "data-plane")}

    def restart(self) -> None:
        old = self._pids()
        assert self.daemon.control("restart").returncode == 0
        eventually(lambda: bool(self._pids() - old), "workers of the restart")

    def reload(self, **changes: object) -> None:
        """Change keys of the configuration, or none, and reload."""
        file = self.daemon.home / "config.yaml"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))
        done = self.daemon.control("reload")
        assert done.returncode == 0, done.stdout + done.stderr

    def begin_anew(self, *, env: dict[str, str] | None = None, config: dict[str, object] | None = None) -> None:
        """Stop the daemon and start another one in its place."""
        assert self.daemon.stop() == 0
        self.daemon = self._start(env or {}, config)

    def mode(self, *arguments: str) -> None:
        assert self.daemon.control("mode", *arguments).returncode == 0


@contextlib.contextmanager
def staged(folder: Path, **config: object) -> Iterator[Stage]:
    with ScriptedProvider() as provider:
        stage = Stage(folder, provider, config)
        try:
            yield stage
        finally:
            stage.close()


def row(stage: Stage, request_id: str) -> dict[str, Any]:
    """Return what is on record of an exchange."""
    found: dict[str, Any] = stage.told("explain", request_id)
    return found


@pytest.mark.parametrize("mode", ["hybrid", "aggressive"])
@pytest.mark.parametrize("source", ["written", "recorded"])
def test_nothing_that_happens_to_the_daemon_changes_what_was_sent(tmp_path: Path, mode: str, source: str) -> None:
    messages = written() if source == "written" else recorded(RECORDED)
    if messages is None:
        pytest.skip("no recorded conversations beside this checkout (../shared/data/mini-swe-agent)")
    other = {"hybrid": "aggressive", "aggressive": "hybrid"}[mode]
    with staged(tmp_path, mode=mode) as stage:
        sessions = [Session(stage.provider, wire, messages) for wire in WIRES]
        for session in sessions:
            session.at = min(8, len(ends(messages)) // 4)

        def all_go_on(what: str, turns: int = 2) -> None:
            for session in sessions:
                changes = [session.ask(stage.daemon) for _ in range(turns)]
                assert changes == [None] * turns, f"{session.wire}: after {what}"

        all_go_on("the start", 3)
        stage.kill_worker()
        all_go_on("kill -9 of the worker")
        stage.restart()
        all_go_on("restart")
        stage.reload()
        all_go_on("a reload of the same", 1)
        stage.reload(compression={"holdout": 1.0}, log_level="debug")
        all_go_on("a reload that holds new conversations out", 1)
        stage.mode("strict")
        all_go_on("mode strict", 1)
        stage.mode(other)
        stage.reload(workers=2)
        all_go_on("a reload to two workers", 4)
        stage.begin_anew(env={"PYTHONHASHSEED": "7", "LC_ALL": "C", "LANG": "C", "TZ": "Asia/Tokyo"})
        stage.mode(mode)
        all_go_on("another daemon, hash seed, locale")
        for session in sessions:
            assert len(session.sent) < 0.95 * len(session.raw), "there was something to break"
            told = row(stage, session.ids[-1])
            assert (told["mode"], told["arm"], told["prefix_break"]) == (mode, "on", "none")
        # The same request, new to this daemon's memory, comes out the same: nothing but the request decides.
        fresh = sessions[0].sent
        stage.kill_worker()
        sessions[0].at -= 1
        assert sessions[0].ask(stage.daemon) is None
        assert sessions[0].sent == fresh


def test_a_switch_of_mode_now_breaks_once_and_says_who_did(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        session = Session(stage.provider, "anthropic", written())
        session.at = 10
        for _ in range(2):
            assert session.ask(stage.daemon) is None
        for mode in ("aggressive", "strict", "hybrid"):
            stage.mode(mode, "--now")
            assert session.ask(stage.daemon) is not None
            told = row(stage, session.ids[-1])
            assert (told["mode"], told["prefix_break"]) == (mode, "us")
            for _ in range(2):
                assert session.ask(stage.daemon) is None
                assert row(stage, session.ids[-1])["prefix_break"] in ("none", None)
        assert stage.told("savings")["total"]["prefix_breaks"]["us"] == 3


def test_compression_off_and_on_again_goes_back_to_what_was_pinned(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        session = Session(stage.provider, "anthropic", written())
        session.at = 10
        session.ask(stage.daemon)
        session.ask(stage.daemon)
        compressed = session.sent
        stage.begin_anew(env={"TOKENPAK_COMPACT": "0"})
        assert session.ask(stage.daemon) is not None
        assert session.sent == session.raw
        told = row(stage, session.ids[-1])
        assert (told["mode"], told["arm"], told["prefix_break"]) == ("strict", "off", None)
        stage.begin_anew()
        session.ask(stage.daemon)
        assert place_of_change(compressed, session.sent) is None
        told = row(stage, session.ids[-1])
        assert (told["mode"], told["prefix_break"], told["saved_milli_units"]) == ("hybrid", None, None)


def test_whoever_else_breaks_the_prefix_is_named(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        session = Session(stage.provider, "anthropic", written())
        session.at = 12

        def cause(**more: object) -> str | None:
            session.ask(stage.daemon, **more)  # type: ignore[arg-type]
            found: str | None = row(stage, session.ids[-1])["prefix_break"]
            return found

        assert cause() is None, "the first request has nothing before it"
        assert cause() == "none"
        assert cause(model="claude-opus-4-1") == "model"
        assert cause() == "model", "and back"
        tools = [{"name": "other", "description": "Another tool.", "input_schema": {"type": "object"}}]
        assert cause(tools=tools) == "tools"
        assert cause() == "tools"
        session.edit(19, "what the tool said was edited by the client " * 20)
        assert cause() == "client"
        assert cause() == "none"
        breaks = stage.told("savings")["total"]["prefix_breaks"]
        assert breaks == {"none": 2, "client": 1, "us": 0, "ttl": 0, "model": 2, "tools": 2}
        recent = {found["id"]: found for found in stage.told("recent")["requests"]}
        assert set(recent) == set(session.ids)
        trace = stage.told("trace", session.ids[-1])
        assert next(room["decided"] for room in trace["rooms"] if room["room"] == "compress").endswith("tokens")
        told = row(stage, session.ids[-1])
        assert told["known_spans"] > 0
        assert told["spans"]
        assert all(span["by"] or span["why"] for span in told["spans"])
