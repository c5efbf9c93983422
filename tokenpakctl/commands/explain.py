"""One exchange: which span became what, by which compressor, and why the others stayed."""

from __future__ import annotations

from tokenpakctl.render import View, clock, count, table
from tokenpakctl.session import OK, Session
from tokenpakctl.units import PREFIX_WORDS, UNIT, signed_units, usage_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

_NOTED_MAX = 200
_ARMS = {"on": "compressed", "holdout": "held out: left uncompressed to compare with", "off": "not compressed"}
_HEAD = ("span", "what", "class", "tokens", "bytes", "by", "why not")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", help="the request id, as `tokenpakctl recent` or x-tokenpak-request-id shows it")


def run(options: argparse.Namespace, session: Session) -> int:
    result = session.call("explain", id=options.id)
    session.emit(result, report(View(result)))
    return OK


def report(explained: View) -> str:
    """Yield what held for the exchange, one line for what was decided earlier, and the new spans."""
    who = (explained.text("model", explained.text("provider")), explained.text("outcome", "in flight"))
    lines = [" | ".join((f"{clock(explained.number('at'))}  {who[0]}", who[1], explained.text("id"))), ""]
    lines += [f"{name:<11} {text}" for name, text in _facts(explained) if text]
    lines += ["", _spans(explained)]
    lines += ["", f"`tokenpakctl trace {explained.text('id')}` shows the rooms and their milliseconds."]
    return "\n".join(lines)


def _facts(explained: View) -> list[tuple[str, str]]:
    arm = explained.text("arm")
    saved, known = explained.number("saved_tokens") or 0, explained.number("removed_known_tokens") or 0
    would, units = explained.number("would_save_tokens"), explained.number("saved_milli_units")
    cause = explained.text("prefix_break", "")
    return [
        ("mode", f"{explained.text('mode')}, arm {arm}" + (f" ({_ARMS[arm]})" if arm in _ARMS else "")),
        ("compressors", explained.text("compressors", "none")),
        ("tokenizer", f"{explained.text('tokenizer')}, before and after"),
        (
            "bytes",
            f"{count(explained.number('bytes_received'))} received, {count(explained.number('bytes_sent'))} sent",
        ),
        ("removed", f"{count(saved)} tokens: {count(saved - known)} first seen, {count(known)} repeated"),
        ("would save", "" if would is None else f"{count(would)} tokens, had they been removed"),
        ("simulated", "" if units is None else f"{signed_units(units)} ({UNIT})"),
        ("prefix", PREFIX_WORDS.get(cause, cause or "first request of the conversation, or not known")),
        ("measured", usage_words(explained.view("usage")) or "the provider reported no usage"),
    ]


def _spans(explained: View) -> str:
    spans = explained.views("spans")
    if not spans and not explained.text("compressors", "") and not explained.whole("known_spans"):
        return "spans: none on record, the request went out as it came in"
    lines = [_known(explained), "", table(_HEAD, map(_row, spans), right=(0,)) if spans else "new spans: none"]
    if len(spans) >= _NOTED_MAX:
        lines.append(f"The first {_NOTED_MAX} new spans; of more there is no record.")
    return "\n".join(lines)


def _known(explained: View) -> str:
    spans = explained.whole("known_spans") or 0
    if not spans:
        return "known spans: none, nothing here was decided by an earlier exchange"
    replaced = count(explained.number("known_replaced"))
    return f"known spans: {spans:,}, {replaced} of them replaced: earlier exchanges of the conversation decided them"


def _row(span: View) -> list[str]:
    by = span.text("by", "")
    return [
        span.text("index"),
        span.text("kind").replace("_", " "),
        span.text("segment").replace("_", " "),
        _change(span, "tokens"),
        _change(span, "bytes"),
        by or "stays",
        "" if by else span.text("why"),
    ]


def _change(span: View, what: str) -> str:
    before, after = span.number(f"{what}_before"), span.number(f"{what}_after")
    return count(before) if before == after else f"{count(before)} → {count(after)}"
