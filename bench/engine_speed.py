"""How long the engine takes: new text, a long conversation that is nearly all known, and blocks made to hurt.

Seconds are of this process's own CPU: other programs on the machine do not count.
"""

import itertools
import json
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence

import hostile

from tokenpakd.compression import engine, splice
from tokenpakd.dialects.registry import dialect
from tokenpakd.exchange.request import DialectName
from tokenpakd.replay import run
from tokenpakd.replay.conversation import Request
from tokenpakd.tip.modes import Mode

_MB = 1_000_000
_BLOCK_CHARS = 10_000
_KNOWN_BLOCKS = 99
_ARGUMENTS = {"Read": "file_path", "WebFetch": "url"}


def new_text_s_per_mb(conversations: Iterable[Sequence[str]], mode: Mode, *, rounds: int = 3) -> float:
    """Return the engine's seconds per MB of tool outputs it has never seen, conversation by conversation; the best of
    the rounds.
    """
    total_s, total_bytes = 0.0, 0
    for outputs in conversations:
        if outputs:
            total_s += _fresh_s(_request(outputs), mode, rounds)
            total_bytes += sum(len(text.encode()) for text in outputs)
    return total_s / total_bytes * _MB if total_bytes else 0.0


def known_request_ms(texts: Iterable[str], mode: Mode, *, rounds: int = 40) -> float | None:
    """Return what a 1 MB request with one new block in a hundred adds over strict, p50; None for too little text."""
    blocks = list(itertools.islice(_blocks(texts), _KNOWN_BLOCKS + rounds))
    if len(blocks) < _KNOWN_BLOCKS + 2:
        return None
    settings = run.engine_settings(run.Settings(mode=mode))
    known, added = None, []
    for newest in blocks[_KNOWN_BLOCKS:]:
        request = _request([*blocks[:_KNOWN_BLOCKS], newest])
        read = dialect(request.dialect)
        started_s = time.process_time()
        read.look(request.body, want_spans=False, path=request.path)
        strict_s = time.process_time() - started_s
        started_s = time.process_time()
        look = read.look(request.body, want_spans=True, path=request.path)
        outcome = engine.compress(request.body, look, known, settings)
        splice.splice(request.body, outcome.replacements)
        added.append(time.process_time() - started_s - strict_s)
        known = outcome.conversation
    return statistics.median(added[1:]) * 1000  # the first request is all new


def adversarial_s_per_mb(mode: Mode) -> dict[str, float]:
    """Return the engine's seconds per MB for every block that is made to hurt."""
    return {
        block.name: _fresh_s(_request(block.texts, block.tool, block.command), mode, 1)
        / sum(len(text.encode()) for text in block.texts)
        * _MB
        for block in hostile.blocks()
    }


def _fresh_s(request: Request, mode: Mode, rounds: int) -> float:
    settings = run.engine_settings(run.Settings(mode=mode))
    look = run.seen(request)
    taken = []
    for _ in range(rounds):
        started_s = time.process_time()
        engine.compress(request.body, look, None, settings)
        taken.append(time.process_time() - started_s)
    return min(taken)


def _blocks(texts: Iterable[str]) -> Iterator[str]:
    held: list[str] = []
    size = 0
    for text in texts:
        held.append(text)
        size += len(text)
        if size >= _BLOCK_CHARS:
            yield "\n".join(held)[:_BLOCK_CHARS]
            held, size = [], 0


def _request(results: Sequence[str], tool: str = "Bash", command: str = "step {}") -> Request:
    """Return a Messages request with these tool results, each with a call of its own."""
    argument = _ARGUMENTS.get(tool, "command")
    messages: list[dict[str, object]] = [{"role": "user", "content": "Go on."}]
    for number, text in enumerate(results):
        call = {"type": "tool_use", "id": f"call_{number}", "name": tool, "input": {argument: command.format(number)}}
        result = {"type": "tool_result", "tool_use_id": f"call_{number}", "content": text}
        messages += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    body = {"model": "claude-sonnet-4-5", "system": "Work in small steps. " * 400, "messages": messages}
    return Request(dialect=DialectName.ANTHROPIC, path=b"/v1/messages", body=json.dumps(body).encode())
