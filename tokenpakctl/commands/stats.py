"""Requests, tokens and savings."""

from __future__ import annotations

from tokenpakctl.render import View, count, percent, short, table, usd
from tokenpakctl.session import OK, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(options: argparse.Namespace, session: Session) -> int:
    result = session.call("stats")
    session.emit(result, report(View(result)))
    return OK


_HEAD = ("", "requests", "errors", "in", "sent", "removed", "out", "cache read", "cost")


def report(stats: View) -> str:
    """Yield the totals and, below them, each model's."""
    rows = [
        _row(name, stats.view(field))
        for field, name in (("session", "this run"), ("today", "today"), ("all_time", "all time"))
    ]
    by_model = stats.view("by_model")
    models = sorted(by_model.fields, key=lambda name: -(by_model.view(name).number("requests") or 0))
    rows += [_row(View({"model": name}).text("model"), by_model.view(name)) for name in models]
    text = table(_HEAD, rows, right=range(1, len(_HEAD)))
    return text + "\n\nremoved: tokens that TokenPak kept from being sent (estimated). cost –: no price is known."


def _row(name: str, totals: View) -> list[str]:
    removed = totals.view("saved").view("proxy_caused").number("tokens")
    share = percent(removed, totals.number("input_tokens"))
    return [
        name,
        count(totals.number("requests")),
        count(totals.number("errors")),
        short(totals.number("input_tokens")),
        short(totals.number("sent_input_tokens")),
        f"{short(removed)} ({share})" if removed else short(removed),
        short(totals.number("output_tokens")),
        short(totals.number("cache_read_tokens")),
        usd(totals.number("cost_usd")),
    ]
