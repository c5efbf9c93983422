"""Needles: a line with a word that stands nowhere else, planted at many places of otherwise dull tool outputs.

Three kinds: one that looks like an error, one that looks like nothing (other words than its neighbours, no alarm in
them), and a twin (a neighbour with another value, which only a lossless mode can be asked to keep).
"""

import json
from collections.abc import Callable, Iterator

from tokenpakd.exchange.request import DialectName
from tokenpakd.replay import bodies, run, shapes
from tokenpakd.replay.conversation import Conversation, Role, ToolCall, Turn
from tokenpakd.tip.modes import Mode

LINES = 200
POSITIONS = 30
KINDS = ("error", "nothing", "twin")
_WORD = "quillon4713"
"""In every needle and nowhere else."""
_FILLER = "Work in small steps. Read a file before you change it, and run its tests after every change you make.\n"
_NOUNS = ("archive", "bridge", "canal", "depot", "engine", "ferry", "garden", "harbour", "island", "junction")
_VERBS = ("opens", "closes", "carries", "follows", "crosses", "supplies", "shelters", "borders")


def survival(mode: Mode) -> dict[tuple[str, str], list[bool]]:
    """Return for every document and kind whether the needle survived at each position, first to last."""
    found: dict[tuple[str, str], list[bool]] = {}
    for document, kind, _, conversation in planted():
        *_, step = run.steps(shapes.requests(conversation, DialectName.ANTHROPIC), run.Settings(mode=mode))
        messages = bodies.parts(step.sent).messages
        survived = any(_WORD in text for raw in messages for text in bodies.strings(json.loads(raw)))
        found.setdefault((document, kind), []).append(survived)
    return found


def planted() -> Iterator[tuple[str, str, int, Conversation]]:
    """Yield document, kind, line and a conversation with the needle in it."""
    for document, (write, needles) in _DOCUMENTS.items():
        for kind in KINDS:
            for position in range(POSITIONS):
                line = position * (LINES - 1) // (POSITIONS - 1)
                text = write(line, needles[kind])
                yield document, kind, line, _conversation(document, text)


def _conversation(document: str, text: str) -> Conversation:
    # Long enough in front of the needle for the provider to cache: the engine leaves shorter prompts alone.
    turns = [Turn(role=Role.SYSTEM, texts=(_FILLER * 120,))]
    if document == "pasted prose":
        turns.append(Turn(role=Role.USER, texts=("Answer from this document.", text)))
    else:
        name, arguments = _CALLS[document]
        call = ToolCall(id="call_1", name=name, arguments=json.dumps(arguments))
        turns += [
            Turn(role=Role.USER, texts=("Find out what happened.",)),
            Turn(role=Role.ASSISTANT, texts=("I look.",), calls=(call,)),
            Turn(role=Role.TOOL, texts=(text,), call_id="call_1"),
        ]
    return Conversation(name=document, turns=tuple(turns), asks_end=True)


def _log(at: int, needle: str) -> str:
    lines = [
        f"2026-03-01T10:{index // 60:02}:{index % 60:02}.{index * 37 % 1000:03}Z "
        + (needle if index == at else f"INFO  scheduler: job {4000 + index * 7} finished in {index * 13 % 97} ms")
        for index in range(LINES)
    ]
    return "\n".join(lines)


def _rows(at: int, needle: str) -> str:
    rows = [
        {"id": 5000 + index, "owner": f"user_{index * 31 % 89}", "state": "settled", "amount": index * 113 % 9973}
        for index in range(LINES)
    ]
    rows[at].update(json.loads(needle))
    return json.dumps(rows, indent=2)


def _grep(at: int, needle: str) -> str:
    lines = [
        f"src/billing/ledger/part_{index // 20}.py:{index * 11 % 400 + 1}:"
        + (needle if index == at else f"        total = self.settled_amount(entry, {index * 3})")
        for index in range(LINES)
    ]
    return "\n".join(lines)


def _prose(at: int, needle: str) -> str:
    count = len(_NOUNS)
    lines = [
        needle
        if index == at
        else f"The {_NOUNS[index % count]} {_VERBS[index % 8]} the old {_NOUNS[(index * 7 + index // count) % count]} "
        f"where the {_NOUNS[(index * 3 + 1) % count]} {_VERBS[index // 8 % 8]} it in the {_NOUNS[index // 10 % count]}."
        for index in range(LINES)
    ]
    return "\n\n".join("\n".join(lines[start : start + 5]) for start in range(0, LINES, 5))


Write = Callable[[int, str], str]
_PROSE = {
    "error": f"The pump failed and the alarm rang: fault {_WORD}.",
    "nothing": f"Marta keeps the brass key of {_WORD} under the third lamp.",
    "twin": f"The archive opens the old {_WORD} where the bridge closes it in the canal.",
}
_DOCUMENTS: dict[str, tuple[Write, dict[str, str]]] = {
    "log": (
        _log,
        {
            "error": f"ERROR scheduler: job lost its lease {_WORD}: connection reset",
            "nothing": f"INFO  warehouse: pallet {_WORD} moved to bay nine by the night shift",
            "twin": f"INFO  scheduler: job {_WORD} finished in 41 ms",
        },
    ),
    "JSON rows": (
        _rows,
        {
            "error": json.dumps({"state": f"failed: error {_WORD}"}),
            "nothing": json.dumps({"owner": f"Ines {_WORD}"}),
            "twin": json.dumps({"owner": _WORD}),
        },
    ),
    "grep": (
        _grep,
        {
            "error": f'        raise LedgerError("{_WORD} is missing")',
            "nothing": f"    # see {_WORD} for the rounding rule of leap years",
            "twin": f"        total = self.settled_amount(entry, {_WORD})",
        },
    ),
    "read prose": (_prose, _PROSE),
    "pasted prose": (_prose, _PROSE),
}
_CALLS: dict[str, tuple[str, dict[str, str]]] = {
    "log": ("Bash", {"command": "cat service.log"}),
    "JSON rows": ("list_entries", {"query": "all"}),
    "grep": ("Bash", {"command": "grep -rn settled_amount src"}),
    "read prose": ("Read", {"file_path": "docs/story.md"}),
}
