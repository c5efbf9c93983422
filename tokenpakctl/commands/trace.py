"""One exchange, room by room."""

from __future__ import annotations

from tokenpakctl.exchanges import exchange_line
from tokenpakctl.render import View, count, milliseconds, table
from tokenpakctl.session import OK, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", help="the request id, as `tokenpakctl recent` or x-tokenpak-request-id shows it")


def run(options: argparse.Namespace, session: Session) -> int:
    result = session.call("trace", id=options.id)
    session.emit(result, report(View(result)))
    return OK


def report(trace: View) -> str:
    """Yield the exchange's line, its rooms, and what else is on record."""
    rooms = [
        [room.text("room"), f"{room.number('ms') or 0:.2f} ms", room.text("decided", "")]
        for room in trace.views("rooms")
    ]
    received, sent = count(trace.number("bytes_received")), count(trace.number("bytes_sent"))
    first_byte, ours = milliseconds(trace.number("ttfb_ms")), milliseconds(trace.number("overhead_ms"))
    upstream = trace.text("upstream_status")
    facts = [
        ("path", trace.text("path")),
        ("provider", f"{trace.text('provider')}, dialect {trace.text('dialect')}, upstream {upstream}"),
        ("mode", f"{trace.text('mode')}, {count(trace.number('spans_replaced'))} spans replaced"),
        ("bytes", f"{received} received, {sent} sent, {count(trace.number('bytes_returned'))} returned"),
        ("time", f"{first_byte} to the first byte, {ours} of it ours"),
        ("error", trace.text("error_code", "")),
        ("note", trace.text("note", "")),
        ("worker", trace.text("worker")),
    ]
    lines = [exchange_line(trace), ""]
    lines.append(table(("room", "time", "decided"), rooms, right=(1,)) if rooms else "no rooms on record")
    lines += ["", *(f"{name:<9} {text}" for name, text in facts if text)]
    lines += ["", f"`tokenpakctl explain {trace.text('id')}` shows what became of each span."]
    return "\n".join(lines)
