from tokenpakd.demo.ledger import Bill
from tokenpakd.demo.prompt_cache import Charge
from tokenpakd.demo.replay import Exchange
from tokenpakd.demo.table import ArmResult, added_ms, savings_table


def arm(charge: Charge, *durations_s: float) -> ArmResult:
    exchanges = [
        Exchange(
            is_stream=True,
            duration_s=duration_s,
            charge=charge,
            output_tokens=1,
            bytes_sent=1,
            is_answer_right=True,
        )
        for duration_s in durations_s
    ]
    return ArmResult(bill=Bill(requests=len(durations_s), input=charge, output_tokens=7), exchanges=exchanges)


DIRECT = arm(Charge(plain=100, read=1000, write_5m=400), 0.001, 0.002, 0.003)


def line(table: str, label: str) -> list[str]:
    (found,) = [row for row in table.splitlines() if row.strip().startswith(label)]
    return found.strip().removeprefix(label).split()


def test_saving_is_a_negative_difference() -> None:
    hybrid = arm(Charge(plain=50, read=700, write_5m=300), 0.002, 0.004, 0.003)
    table = savings_table(DIRECT, DIRECT, hybrid)
    assert line(table, "removed") == ["0", "(0.0", "%)", "450", "(30.0", "%)"]
    assert line(table, "input bill in units") == ["700.0", "495.0"]
    assert line(table, "against uncompressed") == ["-205.0", "(-29.3", "%)"]
    assert line(table, "median added latency") == ["+0.00", "ms", "+1.00", "ms"]


def test_loss_shows_as_a_loss() -> None:
    hybrid = arm(Charge(plain=0, read=0, write_5m=1400), 0.001, 0.002, 0.003)
    assert line(savings_table(DIRECT, DIRECT, hybrid), "against uncompressed") == ["+1,050.0", "(+150.0", "%)"]


def test_added_latency_pairs_each_request_with_its_twin() -> None:
    slower = arm(Charge(), 0.002, 0.102, 0.005)
    assert round(added_ms(DIRECT.exchanges, slower.exchanges), 6) == 2.0
