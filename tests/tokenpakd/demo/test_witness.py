from typing import Any

from tokenpakd.demo.ledger import Bill
from tokenpakd.demo.prompt_cache import Charge
from tokenpakd.demo.witness import disagreements, recorded_savings

BILLS = {"hybrid": Bill(requests=1, input=Charge(plain=1, read=20, write_5m=300), output_tokens=5)}
ROW = {
    "mode": "hybrid",
    "provider": "demo",
    "outcome": "ok",
    "usage": {"input_uncached": 1, "cache_read": 20, "cache_write_5m": 300, "cache_write_1h": None, "output": 5},
    "saved": {"proxy_caused": {"tokens": 11}},
}
TOTALS = {
    "requests": 1,
    "sent_input_tokens": 321,
    "output_tokens": 5,
    "cache_read_tokens": 20,
    "cache_creation_tokens": 300,
}


def test_equal_records_agree() -> None:
    assert disagreements([ROW], TOTALS, BILLS) == []
    assert recorded_savings([ROW], "hybrid") == 11


def test_each_difference_is_named_with_both_figures() -> None:
    wrong: list[tuple[list[dict[str, Any]], dict[str, Any], str]] = [
        ([], TOTALS, "requests: the daemon recorded 0, the provider billed 1"),
        ([ROW | {"usage": None}], TOTALS, "cache reads: the daemon recorded 0, the provider billed 20"),
        ([ROW | {"outcome": "upstream_cut"}], TOTALS, "exchanges not ok: the daemon recorded 1"),
        ([ROW], TOTALS | {"cache_read_tokens": 21}, "/stats: cache_read_tokens: the daemon recorded 21"),
    ]
    for rows, totals, expected in wrong:
        assert any(expected in found for found in disagreements(rows, totals, BILLS)), expected
