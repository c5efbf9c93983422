#!/usr/bin/env python3
"""What the daemon adds: direct and through it (strict, hybrid), interleaved in one run, beside the targets.

    python bench/overhead.py [--quick] [--rounds N] [--seconds N]

Starts its own mock provider and daemons on free loopback ports. Every window is one JSON line in bench/out/.
Read the ratios first: on a shared machine all three columns move together.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import load
import report
from bodies import write_bodies
from lab import Daemon, NotReady, compile_native, ctl_command, daemon, environment, mock_provider, whole_process_ms

HERE = Path(__file__).parent
CLIENTS = (1, 16, 64)
BODIES = ("2k", "2k-fresh", "100k", "1m", "1m-new")
ONE_CLIENT = ("2k-fresh", "1m-new")
HEADERS = ["x-api-key: sk-ant-bench", "anthropic-version: 2023-06-01", "user-agent: Anthropic/Python 1.17.0"]
PAUSE_S = 0.15


class Run:
    """One benchmark run: the three ways to the mock, the bodies, and the file every window is written to."""

    def __init__(self, served: Daemon, mock_port: int, bodies: dict[str, Path], sse: Path, out: Path) -> None:
        direct = f"http://127.0.0.1:{mock_port}"
        self.daemon = served
        self.bodies = bodies
        self.sse_client = sse
        self.out = out
        self.records: list[report.Record] = []
        self.ways = {
            "direct": (direct, HEADERS),
            "strict": (served.url, [*HEADERS, "x-tokenpak-mode: strict"]),
            "hybrid": (served.url, [*HEADERS, "x-tokenpak-mode: hybrid"]),
        }

    def note(self, case: str, way: str, figures: dict[str, float]) -> None:
        """Keep one window and write it down at once, so that a broken run leaves what it had."""
        record = report.Record(case, way, figures)
        self.records.append(record)
        line = {"case": case, "way": way, "at": round(time.time(), 1), "load1": os.getloadavg()[0], **figures}
        with self.out.open("a") as file:
            file.write(json.dumps(line) + "\n")
        shown = " ".join(f"{name}={value:,.1f}" for name, value in list(figures.items())[:6])
        print(f"  {case:<18} {way:<7} {shown}", file=sys.stderr, flush=True)
        time.sleep(PAUSE_S)

    def unary(self, body: str, clients: int, seconds: int, way: str, case: str | None = None) -> None:
        url, headers = self.ways[way]
        cpu_s = self.daemon.cpu_s()
        found = load.unary(url, self.bodies[body], clients=clients, seconds=seconds, headers=headers)
        rate = (found["requests"] - found["failed"]) / found["seconds"]
        cpu_us = (self.daemon.cpu_s() - cpu_s) * 1e6 / max(found["requests"], 1)
        figures = {"rate": rate, "p50_us": found["p50_us"], "p99_us": found["p99_us"], "failed": found["failed"]}
        self.note(case or f"{body} c={clients}", way, figures | ({} if way == "direct" else {"cpu_us": cpu_us}))

    def stream(self, body: str, clients: int, streams: int, seconds: float, way: str, case: str) -> None:
        url, headers = self.ways[way]
        cpu_s = self.daemon.cpu_s()
        found = load.sse(
            self.sse_client,
            url,
            self.bodies[body],
            clients=clients,
            streams=streams,
            seconds=seconds,
            headers=headers,
        )
        chunks = found["transit_us"]["n"]
        figures = {
            "ttfb_us": found["ttfb_us"]["p50"],
            "transit_p50_us": found["transit_us"]["p50"],
            "transit_p99_us": found["transit_us"]["p99"],
            "streams_s": found["run"]["streams_s"],
            "chunks": chunks,
            "failed": found["run"]["failed"],
        }
        cpu_us = (self.daemon.cpu_s() - cpu_s) * 1e6 / max(chunks, 1)
        self.note(case, way, figures | ({} if way == "direct" else {"cpu_us": cpu_us}))

    def round(self, seconds: int) -> None:
        """Every case once, the ways in turn within each case."""
        for body in BODIES:
            if body == "1m":
                self.note("rss to 100k", "-", {"mb": self.daemon.rss_mb()})
            for clients in CLIENTS if body not in ONE_CLIENT else (1,):
                for way in self.ways:
                    self.unary(body, clients, seconds, way)
        for way in self.ways:
            # One paced stream a second: what a person at a coding agent sees.
            self.stream("2k-stream5", 1, 3, 10, way, "sse 5ms c=1")
        for way in self.ways:
            self.stream("2k-stream5", 64, 10**9, seconds, way, "sse 5ms c=64")
        # The burst of streams that leaves a careless connection pool slow for good.
        self.unary("2k", 1, seconds, "strict", "before burst")
        self.stream("2k-stream", 64, 10**9, seconds, "strict", "sse burst c=64")
        self.unary("2k", 1, seconds, "strict", "after burst")


def measure_commands(run: Run, rounds: int) -> None:
    """Time `tokenpakctl status` and a bare interpreter in turn, whole processes."""
    env = environment(run.daemon.home, run.daemon.port)
    commands = {"python -c pass": [sys.executable, "-c", "pass"], "tokenpakctl status": [*ctl_command(), "status"]}
    for _ in range(rounds):
        for name, command in commands.items():
            try:
                run.note(name, "-", {"ms": whole_process_ms(command, env)})
            except subprocess.CalledProcessError as exc:
                # No figure is a missed target; the rest of the run is still worth having.
                print(f"{name}: exit {exc.returncode}: {exc.stderr[-300:]!r}", file=sys.stderr)
                return


def run_all(options: argparse.Namespace, folder: Path) -> list[report.Record]:
    """Launch, measure idle, run the rounds, measure after; yield every record."""
    programs = compile_native()
    bodies = write_bodies(folder / "bodies")
    small = bodies["2k"].read_bytes()
    out = HERE / "out" / time.strftime("overhead-%Y%m%d-%H%M%S.jsonl")
    out.parent.mkdir(exist_ok=True)
    with mock_provider(programs["mock_upstream"]) as mock_port:
        launches = []
        for index in range(options.launches):
            with daemon(folder / f"launch{index}", mock_port, small) as launched:
                launches.append(launched.launch_s)
        with daemon(folder / "home", mock_port, small) as served:
            run = Run(served, mock_port, bodies, programs["load_sse"], out)
            for launch_s in [*launches, served.launch_s]:
                run.note("launch", "-", {"s": launch_s})
            run.note("rss idle", "-", {"mb": served.rss_mb()})
            measure_commands(run, options.commands)
            for way in run.ways:
                run.unary("100k", 4, 1, way, "warm-up")
            for number in range(options.rounds):
                print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
                run.round(options.seconds)
            run.note("rss after", "-", {"mb": served.rss_mb()})
    print(f"windows: {out}", file=sys.stderr)
    return run.records


def main() -> int:
    """Run and print; 0 when every target holds, 1 when one does not, 69 when the lab could not start."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one round of 1 s windows: a smoke test, not a result")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2, help="length of a window")
    options = parser.parse_args()
    options.launches, options.commands = 4, 15
    if options.quick:
        options.rounds, options.seconds, options.launches, options.commands = 1, 1, 2, 7
    try:
        with tempfile.TemporaryDirectory(prefix="tokenpak-bench-") as folder:
            records = run_all(options, Path(folder))
    except (NotReady, load.LoadFailed) as exc:
        print(f"overhead: {exc}", file=sys.stderr)
        return 69
    lines = report.summarise(records)
    print(report.render(lines, load.CLIENT, options.rounds, options.seconds))
    return 0 if all(line.holds is not False for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
