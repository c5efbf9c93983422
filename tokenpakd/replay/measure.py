"""Transcripts replayed: what both arms of each conversation cost, what broke, what was lost."""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from tokenpakd.exchange.request import DialectName
from tokenpakd.replay import run, shapes
from tokenpakd.replay.both_arms import ArmsWatch, Counter
from tokenpakd.replay.conversation import Conversation, Request, Transcript
from tokenpakd.replay.prefixes import PrefixWatch
from tokenpakd.replay.recall import RecallWatch


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
        yield from shapes.requests(transcript, dialect or own_dialect(transcript))
    else:
        yield from transcript.requests


def measure(
    transcripts: Iterable[Transcript],
    settings: run.Settings,
    counter: Counter,
    *,
    dialect: DialectName | None = None,
    on_sent: Callable[[bytes], None] | None = None,
) -> list[Measured]:
    """Replay transcripts and yield what each came to. `on_sent` sees every body as it would be sent, in order."""
    found: list[Measured] = []
    for transcript in transcripts:
        arms, prefixes, recall = ArmsWatch(counter), PrefixWatch(), RecallWatch()
        step = None
        for step in run.steps(requests(transcript, dialect), settings):
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
                    spans=len(step.verdicts),
                    replaced=sum(verdict.literal is not None for verdict in step.verdicts),
                    arms=arms,
                    prefixes=prefixes,
                    recall=recall,
                )
            )
    return found


def own_dialect(conversation: Conversation, model: str | None = None) -> DialectName:
    """Return the wire a conversation is rendered on: that of its model, else the form it was written in."""
    name = model or conversation.model
    if name is not None and name.startswith("claude"):
        return DialectName.ANTHROPIC
    has_blocks = model is None and any(turn.blocks for turn in conversation.turns)
    return DialectName.ANTHROPIC if has_blocks else DialectName.OPENAI_CHAT
