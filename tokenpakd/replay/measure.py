"""Transcripts replayed: what both arms of each conversation cost, what broke, what was lost."""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from tokenpakd.exchange.request import DialectName
from tokenpakd.replay import run, shapes
from tokenpakd.replay.both_arms import ArmsWatch, Counter
from tokenpakd.replay.conversation import Conversation, Request, Transcript
from tokenpakd.replay.prefixes import PrefixWatch
from tokenpakd.replay.recall import RecallWatch
from tokenpakd.tip.modes import Mode


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation after its replay."""

    name: str
    requests: int
    spans: int
    replaced: int
    """Spans of the last request, and how many of them are sent shorter."""
    arms: ArmsWatch
    prefixes: PrefixWatch
    recall: RecallWatch


def requests(transcript: Transcript, dialect: DialectName | None = None) -> Iterator[Request]:
    """Yield a transcript's requests: recorded ones as they are, a conversation in a dialect, else in its own form."""
    if isinstance(transcript, Conversation):
        yield from shapes.requests(transcript, dialect or _own(transcript))
    else:
        yield from transcript.requests


def measure(
    transcripts: Iterable[Transcript],
    mode: Mode,
    counter: Counter,
    *,
    dialect: DialectName | None = None,
    restart_every: int = 0,
    on_sent: Callable[[bytes], None] | None = None,
) -> list[Measured]:
    """Replay transcripts and yield what each came to. `on_sent` sees every body as it would be sent, in order."""
    found: list[Measured] = []
    for transcript in transcripts:
        arms, prefixes, recall = ArmsWatch(counter), PrefixWatch(), RecallWatch()
        step = None
        for step in run.steps(requests(transcript, dialect), mode, restart_every=restart_every):
            raw = step.request.body
            arms.see(raw, step.sent)
            prefixes.see(raw, step.sent)
            if step.request.answer:
                recall.see(raw, step.sent, step.request.answer)
            if on_sent is not None:
                on_sent(step.sent)
        if step is not None:
            found.append(
                Measured(
                    name=transcript.name,
                    requests=arms.requests,
                    spans=step.spans,
                    replaced=step.replaced,
                    arms=arms,
                    prefixes=prefixes,
                    recall=recall,
                )
            )
    return found


def _own(conversation: Conversation) -> DialectName:
    has_blocks = any(turn.blocks for turn in conversation.turns)
    is_claude = (conversation.model or "").startswith("claude-")
    return DialectName.ANTHROPIC if has_blocks or is_claude else DialectName.OPENAI_CHAT
