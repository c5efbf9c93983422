"""Whether the daemon's own records say what the provider billed. Pure."""

from typing import Any

from tokenpakd.demo.ledger import Bill


def disagreements(recent: list[dict[str, Any]], session: dict[str, Any], bills: dict[str, Bill]) -> list[str]:
    """Compare `/recent` and the session part of `/stats` with the provider's bills, by mode; yield each difference.

    An empty list means that the daemon recorded exactly what was billed.
    """
    found: list[str] = []
    for mode, bill in bills.items():
        rows = [row for row in recent if row["mode"] == mode and row["provider"] == "demo"]
        recorded = {
            "requests": len(rows),
            "uncached input": _total(rows, "input_uncached"),
            "cache reads": _total(rows, "cache_read"),
            "cache writes (5 min)": _total(rows, "cache_write_5m"),
            "output": _total(rows, "output"),
            "exchanges not ok": sum(row["outcome"] != "ok" for row in rows),
        }
        billed = {
            "requests": bill.requests,
            "uncached input": bill.input.plain,
            "cache reads": bill.input.read,
            "cache writes (5 min)": bill.input.write_5m,
            "output": bill.output_tokens,
            "exchanges not ok": 0,
        }
        found += _differences(f"/recent, {mode}", recorded, billed)
    every = bills.values()
    billed = {
        "requests": sum(bill.requests for bill in every),
        "sent_input_tokens": sum(bill.input.tokens for bill in every),
        "output_tokens": sum(bill.output_tokens for bill in every),
        "cache_read_tokens": sum(bill.input.read for bill in every),
        "cache_creation_tokens": sum(bill.input.write_5m + bill.input.write_1h for bill in every),
    }
    found += _differences("/stats", {key: session.get(key) for key in billed}, billed)
    return found


def recorded_savings(recent: list[dict[str, Any]], mode: str) -> int:
    """Return the tokens that the daemon says it removed in a mode; its own estimate."""
    rows = (row for row in recent if row["mode"] == mode)
    return sum(row["saved"]["proxy_caused"]["tokens"] for row in rows)


def _total(rows: list[dict[str, Any]], name: str) -> int:
    return sum((row["usage"] or {}).get(name) or 0 for row in rows)


def _differences(where: str, recorded: dict[str, Any], billed: dict[str, int]) -> list[str]:
    return [
        f"{where}: {name}: the daemon recorded {recorded[name]}, the provider billed {billed[name]}"
        for name in billed
        if recorded[name] != billed[name]
    ]
