"""Load clients: wrk where installed, else threads of Python (slower than the daemon: not comparable); SSE in C."""

import http.client
import json
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

NATIVE = Path(__file__).parent / "native"
Figures = dict[str, float]

WRK = shutil.which("wrk")
CLIENT = "wrk" if WRK else "Python threads: NOT COMPARABLE with the targets, install wrk"


class LoadFailed(Exception):
    """A load client did not come back with figures; its own words are in the message."""


def unary(url: str, body: Path, *, clients: int, seconds: int, headers: list[str]) -> Figures:
    """Run one window of requests; yield requests, seconds, failed and p50_us, p90_us, p99_us, max_us."""
    if WRK is None:
        return _unary_python(url, body, clients, seconds, headers)
    command = [WRK, "-t1", f"-c{clients}", f"-d{seconds}", "--timeout", "15s", "--latency"]
    command += ["-s", str(NATIVE / "post.lua"), url + "/v1/messages"]
    env = dict(os.environ, BODY=str(body), HDRS="|".join(headers))
    run = subprocess.run(command, env=env, capture_output=True, text=True, timeout=seconds + 60, check=False)
    for line in run.stdout.splitlines():
        if line.startswith("JSON "):
            return dict(json.loads(line[5:]))
    raise LoadFailed((run.stdout + run.stderr)[-300:])


def sse(
    client: Path, url: str, body: Path, *, clients: int, streams: int, seconds: float, headers: list[str]
) -> dict[str, Figures]:
    """Keep `clients` streams in flight; yield ttfb_us and transit_us (n, p50, p99 …), and counts under `run`."""
    split = urlsplit(url)
    command = [str(client), str(split.hostname), str(split.port), "/v1/messages", str(body), str(clients), str(streams)]
    for header in headers:
        command += ["-H", header]
    env = dict(os.environ, SECS=str(seconds))
    run = subprocess.run(command, env=env, capture_output=True, text=True, timeout=seconds + 60, check=False)
    try:
        found = json.loads(run.stdout)
    except ValueError as exc:
        raise LoadFailed((run.stdout + run.stderr)[-300:]) from exc
    counts = {name: value for name, value in found.items() if isinstance(value, int | float)}
    return {"run": counts} | {name: value for name, value in found.items() if isinstance(value, dict)}


def _unary_python(url: str, body: Path, clients: int, seconds: int, headers: list[str]) -> Figures:
    split = urlsplit(url)
    text = body.read_bytes()
    fields = {"content-type": "application/json"} | dict(line.split(": ", 1) for line in headers)
    times_us: list[float] = []
    failed = [0]
    begin = time.perf_counter()

    def ask_until_done(client: int) -> None:
        connection = http.client.HTTPConnection(str(split.hostname), split.port, timeout=15)
        count = 0
        while time.perf_counter() - begin < seconds:
            nonce = b"%016d" % (time.time_ns() % 10**12 * 1000 + client)
            sent = time.perf_counter()
            connection.request("POST", "/v1/messages", text.replace(b"NONCE_0000000000", nonce), fields)
            reply = connection.getresponse()
            reply.read()
            times_us.append((time.perf_counter() - sent) * 1e6)
            failed[0] += reply.status != 200
            count += 1
        connection.close()

    threads = [threading.Thread(target=ask_until_done, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times_us.sort()
    at = {f"p{share}_us": times_us[min(len(times_us) - 1, len(times_us) * share // 100)] for share in (50, 90, 99)}
    counts = {"requests": len(times_us), "seconds": time.perf_counter() - begin, "failed": failed[0]}
    return {**counts, **at, "max_us": times_us[-1]}
