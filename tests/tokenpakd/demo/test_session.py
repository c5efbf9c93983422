import re

from tokenpakd.demo import session
from tokenpakd.demo.blocks import read_anthropic
from tokenpakd.demo.ledger import Ledger
from tokenpakd.demo.prompt_cache import Charge


def test_every_request_is_one_that_a_provider_answers_and_continues_the_last() -> None:
    ledger = Ledger()
    for number, body in enumerate(session.requests(session.load())):
        asked = read_anthropic(body)
        assert asked.turn == number
        assert sum(block.ttl_s is not None for block in asked.blocks) == 3
        ledger.book("k", asked.opening, asked.blocks, Charge(), 0)
    assert ledger.bill("k").prefix_breaks == 0


def test_session_is_of_a_working_size_and_says_how_it_was_made() -> None:
    recorded = session.load()
    assert 25 <= len(recorded.answers) <= 60
    assert any("record_session" in line for line in recorded.about)


def test_session_names_no_place_of_the_machine_it_was_recorded_on() -> None:
    for message in session.load().messages:
        for block in message["content"]:
            text = str(block.get("content") or block.get("text") or block.get("input"))
            assert not re.search(r"(?<![\w.])/(home|root|work|tmp|usr|Users)/", text), text[:200]
