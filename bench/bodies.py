"""Request bodies of the benchmark: Anthropic-shaped agent turns with tool results, some of them exact repeats.

The same bytes go directly and through the daemon; a repeat is what hybrid mode replaces. One 16-character nonce
sits in the last user message (an agent's next turn); in the `fresh` body in the first (a new conversation each); in the
`new` body in the last tool result, 10 KB that nobody has seen before (the other 99 % are known).
"""

import json
import random
from pathlib import Path

NONCE = "NONCE_0000000000"
REPEAT_EVERY = 5
SIZES = {"2k": 2_000, "100k": 100_000, "1m": 1_000_000}
# The mock reads the pace of a stream from max_tokens: 41NN is NN ms between events.
PACE_5_MS = 4105
UNPACED = 4100
TEXT = (
    "return await self request body chunk the of model token cache context pipeline def class import async with for "
    "in if else value config error path file line stream response header proxy limit retry json parse index vault "
    "compress route provider budget count usage prompt system message tool result content block delta start stop"
)
WORDS = TEXT.split()


def write_bodies(folder: Path) -> dict[str, Path]:
    """Write every body into the folder; yield their paths by name (`2k`, `2k-fresh`, `2k-stream5` …)."""
    folder.mkdir(parents=True, exist_ok=True)
    bodies = {name: turn(size, random.Random(7)) for name, size in SIZES.items()}
    bodies["2k-fresh"] = turn(SIZES["2k"], random.Random(7), nonce_first=True)
    bodies["1m-new"] = turn(SIZES["1m"], random.Random(7), nonce_in_result=True)
    bodies["2k-stream5"] = turn(SIZES["2k"], random.Random(7), stream=True, max_tokens=PACE_5_MS)
    bodies["2k-stream"] = turn(SIZES["2k"], random.Random(7), stream=True, max_tokens=UNPACED)
    paths = {name: folder / f"{name}.json" for name in bodies}
    for name, body in bodies.items():
        paths[name].write_bytes(body)
    return paths


def turn(
    size: int,
    source: random.Random,
    *,
    stream: bool = False,
    max_tokens: int = 4096,
    nonce_first: bool = False,
    nonce_in_result: bool = False,
) -> bytes:
    """Build one request of about `size` bytes, compact as the official clients write it."""
    head: dict[str, object] = {"model": "claude-sonnet-4-5", "max_tokens": max_tokens, "stream": stream}
    system = [{"type": "text", "text": prose(min(size // 8, 12_000), source), "cache_control": {"type": "ephemeral"}}]
    head |= {"system": system, "tools": tools(source) if size > 20_000 else tools(source)[:1]}
    messages: list[dict[str, object]] = [{"role": "user", "content": (NONCE if nonce_first else "") + " Begin."}]
    used = len(json.dumps(head)) + 200
    results: list[str] = []
    while size - used > 500:
        call = f"toolu_{len(results):06d}"
        if results and len(results) % REPEAT_EVERY == 0:
            result = results[source.randrange(len(results))]
        else:
            result = prose(min(size - used - 400, 6_000), source)
        results.append(result)
        use = {"type": "tool_use", "id": call, "name": "tool_0", "input": {"path": prose(30, source)}}
        answer = {"type": "tool_result", "tool_use_id": call, "content": result}
        pair: list[dict[str, object]] = [{"role": "assistant", "content": [use]}, {"role": "user", "content": [answer]}]
        used += len(json.dumps(pair))
        messages += pair
    if nonce_in_result:
        use = {"type": "tool_use", "id": "toolu_new", "name": "tool_0", "input": {"path": prose(30, source)}}
        newest = {"type": "tool_result", "tool_use_id": "toolu_new", "content": NONCE + "\n" + prose(10_000, source)}
        messages += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [newest]}]
    messages += [
        {"role": "assistant", "content": [{"type": "text", "text": "Done."}]},
        {"role": "user", "content": ("" if nonce_first or nonce_in_result else NONCE) + " Go on."},
    ]
    return json.dumps({**head, "messages": messages}, separators=(",", ":"), ensure_ascii=False).encode()


def tools(source: random.Random) -> list[dict[str, object]]:
    """Build a tool list as large as a coding agent's."""
    return [
        {
            "name": f"tool_{index}",
            "description": prose(300 if index else 60, source),
            "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
        }
        for index in range(12)
    ]


def prose(size: int, source: random.Random) -> str:
    """Build text that looks like code, logs and sentences in turn."""
    lines: list[str] = []
    used = 0
    while used < size:
        pick = source.random()
        if pick < 0.25:
            name, call = source.choice(WORDS), source.choice(WORDS)
            line = f"    {name}_{call} = {call}({name!r}, {source.randint(0, 9999)})\n"
        elif pick < 0.3:
            line = f'/srv/app/{source.choice(WORDS)}.py:{source.randint(1, 900)}: "{source.choice(WORDS)}" \u2014 ok\n'
        else:
            line = " ".join(source.choice(WORDS) for _ in range(source.randint(6, 16))) + ".\n"
        lines.append(line)
        used += len(line)
    return "".join(lines)
