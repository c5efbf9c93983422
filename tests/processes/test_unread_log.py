"""A daemon whose error output nobody reads goes on serving."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.playbook.daemon import start_daemon
from tests.playbook.raw_client import RawClient
from tests.playbook.scripted_provider import ScriptedProvider

REQUESTS = 600


def test_a_full_log_pipe_does_not_stop_traffic(tmp_path: Path) -> None:
    with ScriptedProvider() as provider:
        with start_daemon(tmp_path, providers={"anthropic": provider.url}) as first:
            port, environ = first.port, first.environ
            first.stop()
        reading, writing = os.pipe()
        command = [sys.executable, "-m", "tokenpakd", "serve", "--foreground"]
        process = subprocess.Popen(command, env={**environ, "TOKENPAK_PORT": str(port)}, stdout=writing, stderr=writing)
        os.close(writing)
        try:
            body = b'{"model":"claude-sonnet-4-5","max_tokens":8,"messages":[{"role":"user","content":"hi"}]}'
            with _connected(port) as client:
                for _ in range(REQUESTS):
                    client.request("POST", "/v1/messages", headers=[("x-api-key", "k")], body=body)
                    assert client.reply().status == 200
        finally:
            process.terminate()
            process.wait(40)
            os.close(reading)


def _connected(port: int) -> RawClient:
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        try:
            return RawClient(port)
        except ConnectionRefusedError:
            os.sched_yield()
    raise AssertionError("the daemon did not begin to listen")
