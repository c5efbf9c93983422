"""Recorded conversations on disk, and what a replay of all of them came to."""

import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from tokenpakd.exchange.request import DialectName, SpanKind
from tokenpakd.replay import bodies, measure, run, transcripts
from tokenpakd.replay.both_arms import ArmsWatch, Counter
from tokenpakd.replay.conversation import BadTranscript, Request, Transcript
from tokenpakd.replay.prefixes import PrefixWatch
from tokenpakd.replay.recall import Recall, RecallWatch

CODING, JSON_AGENT = "coding", "JSON agent"
SHAPES = (DialectName.OPENAI_CHAT, DialectName.ANTHROPIC)
_ENDINGS = (".json", ".jsonl")


class Corpus(msgspec.Struct, frozen=True):
    """Conversations that are reported together; `kind` decides which targets they stand beside."""

    name: str
    kind: str
    transcripts: tuple[Transcript, ...]


class Replayed(msgspec.Struct, frozen=True):
    """One corpus in one mode and shape: bills by tokenizer, prefixes, recall."""

    arms: dict[str, tuple[ArmsWatch, ...]]
    pairs: int
    changes: int
    recall: Recall


def load(folder: Path) -> list[Corpus]:
    """Return the conversations of a folder: those of each subfolder are a corpus, those beside them another."""
    groups = [(one.name, sorted(one.rglob("*"))) for one in sorted(folder.iterdir()) if one.is_dir()]
    groups.append((folder.name, sorted(one for one in folder.iterdir() if one.is_file())))
    found = []
    for name, files in groups:
        read = tuple(one for file in files if file.suffix in _ENDINGS for one in _read(file))
        if read:
            found.append(Corpus(name, _kind(read), read))
    return found


def tool_outputs(transcript: Transcript) -> list[str]:
    """Return the text of every tool result of a conversation, in order."""
    last = last_request(transcript)
    if last is None:
        return []
    results = [span for span in run.seen(last).spans if span.kind is SpanKind.TOOL_RESULT]
    return [json.loads(last.body[span.start : span.end]) for span in results]


def all_texts(corpus: Corpus) -> Iterator[str]:
    """Yield every text of every conversation, whoever said it."""
    for transcript in corpus.transcripts:
        last = last_request(transcript)
        for message in bodies.parts(last.body).messages if last is not None else ():
            yield from bodies.strings(json.loads(message))


def last_request(transcript: Transcript) -> Request | None:
    """Return the longest request of a conversation; None when there is none."""
    return max(measure.requests(transcript), key=lambda request: len(request.body), default=None)


def replayed(
    corpus: Corpus, shape: DialectName, settings: run.Settings, counters: dict[str, Counter], *, wants_recall: bool
) -> Replayed:
    """Send every request of a corpus through the engine."""
    arms: dict[str, list[ArmsWatch]] = {name: [] for name in counters}
    recall = Recall()
    pairs = changes = 0
    for transcript in corpus.transcripts:
        watches = {name: ArmsWatch(counter) for name, counter in counters.items()}
        prefixes, references = PrefixWatch(), RecallWatch()
        for step in run.steps(measure.requests(transcript, shape), settings):
            prefixes.see(step.request.body, step.sent)
            for watch in watches.values():
                watch.see(step.request.body, step.sent)
            if wants_recall and step.request.answer:
                references.see(step.request.body, step.sent, step.request.answer)
        for name, watch in watches.items():
            arms[name].append(watch)
        pairs += prefixes.pairs
        changes += len(prefixes.breaks)
        recall.add(references.recall)
    return Replayed({name: tuple(found) for name, found in arms.items()}, pairs, changes, recall)


def digest(corpora: Sequence[Corpus], settings: run.Settings) -> str:
    """Return one hash of every byte that would be sent, in every shape."""
    running = hashlib.blake2b(digest_size=16)
    for corpus in corpora:
        for shape in SHAPES:
            for transcript in corpus.transcripts:
                for step in run.steps(measure.requests(transcript, shape), settings):
                    running.update(len(step.sent).to_bytes(8, "big"))
                    running.update(step.sent)
    return running.hexdigest()


def _read(file: Path) -> tuple[Transcript, ...]:
    try:
        found: tuple[Transcript, ...] = transcripts.read(file.read_bytes(), file.stem)
    except BadTranscript as exc:
        print(f"left out {file.name}: {exc}", file=sys.stderr)
        return ()
    return found


def _kind(found: Sequence[Transcript]) -> str:
    """Say what the tools mostly return, by size."""
    json_chars = chars = 0
    for transcript in found:
        for text in tool_outputs(transcript):
            chars += len(text)
            json_chars += len(text) if text[:1] in ("{", "[") else 0
    return JSON_AGENT if 2 * json_chars > chars else CODING
