from tokenpakd.demo.ledger import Bill, Ledger
from tokenpakd.demo.prompt_cache import Block, Charge

A, B, C = (Block(digest=name, tokens=10) for name in (b"a", b"b", b"c"))


def test_bills_add_up_per_caller() -> None:
    ledger = Ledger()
    ledger.book("k", "go", [A], Charge(plain=10), 3)
    ledger.book("k", "go", [A, B], Charge(read=10, write_5m=10), 4)
    bill = ledger.bill("k")
    assert (bill.requests, bill.input, bill.output_tokens) == (2, Charge(plain=10, read=10, write_5m=10), 7)
    assert bill.units == 10 + 1 + 12.5
    assert ledger.bill("nobody") == Bill()


def test_changed_history_counts_as_a_prefix_break() -> None:
    ledger = Ledger()
    ledger.book("k", "go", [A, B], Charge(), 0)
    ledger.book("k", "go", [A, C, B], Charge(), 0)
    assert ledger.bill("k").prefix_breaks == 1


def test_another_conversation_of_the_same_caller_breaks_nothing() -> None:
    ledger = Ledger()
    ledger.book("k", "go", [A, B], Charge(), 0)
    ledger.book("k", "other", [C], Charge(), 0)
    ledger.book("k", "go", [A, B, C], Charge(), 0)
    assert ledger.bill("k").prefix_breaks == 0
