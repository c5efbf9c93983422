"""`tokenpakd demo`: a daemon with a home of its own, a stand-in for a provider, and a recorded session between them.

It replays the session through the daemon, prints what it was billed with and without compression, checks that the
daemon recorded what the provider billed, and goes on serving until Ctrl-C. Exit codes: 0, 1 when a check failed.
"""

import argparse
import contextlib
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from tokenpakd.demo import children, replay, session, witness
from tokenpakd.demo.ledger import Bill
from tokenpakd.demo.replay import Arm, Exchange
from tokenpakd.demo.table import ArmResult, savings_table
from tokenpakd.tip.modes import Mode

DIRECT, UNCOMPRESSED, HYBRID = "direct", "uncompressed", "hybrid"
Say = Callable[[str], None]

SIMULATED = """\
Simulated: the provider (no model runs; it answers with the recorded turns), its token count (bytes / 3.5) and its
  prompt cache (write 1.25, read 0.1, 5 minutes). A unit is one uncached input token; output is not in the bill.
Real: the HTTP between client, daemon and provider, the daemon, every byte, and the outputs in the recorded session.
  How often it reads a file again was chosen by whoever wrote it: an example, not a forecast. Your traffic decides."""


def main(argv: list[str] | None = None) -> int:
    """Run the demo and yield its exit code."""
    parser = argparse.ArgumentParser(prog="tokenpakd demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="leave after the table instead of serving until Ctrl-C")
    arguments = parser.parse_args(argv)
    for number in (signal.SIGINT, signal.SIGTERM):  # both end it with the same tidying, also as a background job
        signal.signal(number, signal.default_int_handler)
    try:
        return _run(_say, is_once=arguments.once)
    except KeyboardInterrupt:
        _say("\nstopped")
        return 0
    except (children.StartError, replay.ReplayError) as error:
        sys.stderr.write(f"tokenpakd demo: {error}\n")
        return 1


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _run(say: Say, *, is_once: bool) -> int:
    recorded = session.load()
    with contextlib.ExitStack() as stack:
        home = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="tokenpak-demo-", ignore_cleanup_errors=True))
        )
        provider, provider_port = children.start_provider()
        stack.callback(children.end, provider)
        port, ws_port = children.pick_ports()
        daemon, _ = children.start_daemon(home, provider_port, port, ws_port)
        stack.callback(children.end, daemon)
        turns = len(recorded.answers)
        say(f"tokenpakd serves on http://127.0.0.1:{port}, the demo provider on http://127.0.0.1:{provider_port}")
        say(f"replaying a recorded coding-agent session of {turns} requests: direct, uncompressed (strict), hybrid\n")
        is_sound = show_savings(say, recorded, port, provider_port)
        if not is_once:
            say(_how_to(home, port))
            daemon.wait()
            raise children.StartError("the daemon ended by itself. Run `make run` again.")
    return 0 if is_sound else 1


def show_savings(say: Say, recorded: session.Session, port: int, provider_port: int) -> bool:
    """Replay the session, print the table and the checks; yield whether every check held."""
    arms = (
        Arm(name=DIRECT, port=provider_port, key="demo-direct"),
        Arm(name=UNCOMPRESSED, port=port, key="demo-uncompressed", mode=Mode.STRICT),
        Arm(name=HYBRID, port=port, key="demo-hybrid", mode=Mode.HYBRID),
    )
    exchanges = replay.replay(recorded, arms)
    bills = {arm.name: _bill(provider_port, arm.key) for arm in arms}
    results = {name: ArmResult(bill=bills[name], exchanges=exchanges[name]) for name in bills}
    say(savings_table(results[DIRECT], results[UNCOMPRESSED], results[HYBRID]))
    say("")
    say(SIMULATED)
    say("")
    recent = children.get_json(port, "/recent?limit=1000")["requests"]
    totals = children.get_json(port, "/stats")["session"]
    removed = bills[UNCOMPRESSED].input.tokens - bills[HYBRID].input.tokens
    estimate = witness.recorded_savings(recent, Mode.HYBRID)
    say(f"the daemon's own count of removed tokens: {estimate:,} (an estimate; the provider's count says {removed:,})")
    problems = _client_problems(exchanges, bills)
    billed = {str(Mode.STRICT): bills[UNCOMPRESSED], str(Mode.HYBRID): bills[HYBRID]}
    problems += witness.disagreements(recent, totals, billed)
    for problem in problems:
        say(f"CHECK FAILED: {problem}")
    if not problems:
        say("checked: both arms got every recorded answer; uncompressed was billed like direct; no prefix was broken;")
        say("  /recent and /stats of the daemon agree with what the provider billed, token by token")
    return not problems


def _client_problems(exchanges: dict[str, list[Exchange]], bills: dict[str, Bill]) -> list[str]:
    """Yield what the client's side of the replay shows to be wrong."""
    problems = [
        f"{name}: request {number} got another answer than the recorded one"
        for name, sent in exchanges.items()
        for number, exchange in enumerate(sent, 1)
        if not exchange.is_answer_right
    ]
    problems += [f"{name}: {bill.prefix_breaks} prefix breaks" for name, bill in bills.items() if bill.prefix_breaks]
    if bills[UNCOMPRESSED] != bills[DIRECT]:
        problems.append("uncompressed was not billed like direct")
    for name, sent in exchanges.items():
        seen = msgspec.structs.replace(Bill(), requests=len(sent))
        for exchange in sent:
            charge, output = seen.input.plus(exchange.charge), seen.output_tokens + exchange.output_tokens
            seen = msgspec.structs.replace(seen, input=charge, output_tokens=output)
        if msgspec.structs.replace(bills[name], prefix_breaks=0) != seen:
            problems.append(f"{name}: the usage that the client saw is not what the provider billed")
    return problems


def _bill(provider_port: int, key: str) -> Bill:
    _, body = children.get(provider_port, "/demo/bill", {"x-api-key": key})
    return msgspec.json.decode(body, type=Bill)


def _how_to(home: Path, port: int) -> str:
    beside = os.path.join(os.path.dirname(sys.executable), "tokenpakctl")
    shorter = os.path.relpath(beside)
    tool = beside if shorter.startswith("..") else shorter
    control = f"TOKENPAK_HOME={shlex.quote(str(home))} {shlex.quote(tool)}"
    ask = '{"model":"demo-large","max_tokens":64,"messages":[{"role":"user","content":"hello"}]}'
    url = f"http://127.0.0.1:{port}"
    return f"""
Still serving; the real providers are reachable beside the demo, with your own key. Point a client at it:
  export ANTHROPIC_BASE_URL={url}                 # Claude Code, anthropic SDKs
  export OPENAI_BASE_URL={url}/v1                 # openai SDKs
  curl -s {url}/v1/messages -H 'x-api-key: demo-me' -H 'content-type: application/json' \\
    -d '{ask}'
Steer it:
  {control} status        (also: recent, stats, tail, mode aggressive)
Ctrl-C ends it and removes {home}"""


if __name__ == "__main__":
    sys.exit(main())
