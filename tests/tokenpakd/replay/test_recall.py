"""What the model used next must be visible in what was sent."""

import json

import pytest

from tokenpakd.replay.recall import KINDS, RecallWatch, references

SEEN = "src/billing/ledger.py:388: total_amount = sum(entries)  # 'carry over'"


def _body(*texts: str) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text} for text in texts]}).encode()


def test_references_are_lines_identifiers_paths_numbers_and_quotes() -> None:
    found = references([f"  {SEEN}\nshort"])
    assert ("lines", SEEN) in found
    assert ("identifiers", "total_amount") in found
    assert ("paths", "src/billing/ledger.py") in found
    assert ("numbers", "388") in found
    assert ("quotes", "carry over") in found
    assert {kind for kind, _ in found} == set(KINDS)
    assert not any(text == "short" and kind == "lines" for kind, text in found)


def test_nothing_is_lost_where_nothing_was_changed() -> None:
    watch = RecallWatch()
    watch.see(_body(SEEN), _body(SEEN), [f"edit: {SEEN}", SEEN])
    assert (watch.recall.answers, watch.recall.lossy_answers, watch.recall.lost) == (1, 0, [])
    assert all(count.asked == count.kept > 0 for count in watch.recall.kinds.values())
    assert all(count.share == 1 for count in watch.recall.kinds.values())


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        ("[1 line as before]", "lines"),
        (SEEN.replace("total_amount", "total"), "identifiers"),
        (SEEN.replace("billing/", "b/"), "paths"),
        (SEEN.replace("388", "389"), "numbers"),
        (SEEN.replace("carry", "bring"), "quotes"),
    ],
)
def test_a_planted_loss_is_found(sent: str, kind: str) -> None:
    watch = RecallWatch()
    watch.see(_body(SEEN), _body(sent), [SEEN])
    assert watch.recall.lossy_answers == 1
    assert watch.recall.kinds[kind].kept < watch.recall.kinds[kind].asked
    assert kind in {lost for lost, _ in watch.recall.lost}


def test_what_stands_elsewhere_in_the_request_is_not_lost() -> None:
    watch = RecallWatch()
    watch.see(_body(SEEN, SEEN), _body(SEEN, "[same as above]"), [SEEN])
    assert watch.recall.lossy_answers == 0


def test_what_the_model_made_up_is_not_asked() -> None:
    watch = RecallWatch()
    watch.see(_body("nothing here"), _body("gone"), ["another_identifier 4713 and/or"])
    assert all(count.asked == 0 for count in watch.recall.kinds.values())


def test_arguments_and_the_system_prompt_are_read() -> None:
    call = {"function": {"name": "bash", "arguments": json.dumps({"command": "echo first_word\necho x"})}}
    body = {"system": "second_word", "messages": [{"role": "assistant", "tool_calls": [call]}]}
    raw = json.dumps(body).encode()
    watch = RecallWatch()
    watch.see(raw, _body("x"), ["first_word second_word", "echo first_word"])
    assert watch.recall.kinds["identifiers"].asked == 2
    assert watch.recall.kinds["identifiers"].kept == 0


def test_later_requests_are_searched_where_they_are_new_and_anew_where_they_are_not() -> None:
    watch = RecallWatch()
    watch.see(_body("alpha_one"), _body("alpha_one"), ["alpha_one beta_two"])
    watch.see(_body("alpha_one", "x", "beta_two"), _body("alpha_one", "x", "beta_two"), ["alpha_one beta_two"])
    assert (watch.recall.kinds["identifiers"].asked, watch.recall.lossy_answers) == (3, 0)
    watch.see(_body("beta_two"), _body("gone"), ["alpha_one beta_two"])
    assert (watch.recall.kinds["identifiers"].asked, watch.recall.lossy_answers) == (4, 1)


def test_sums_add_up() -> None:
    first, second = RecallWatch(), RecallWatch()
    first.see(_body(SEEN), _body("gone"), [SEEN])
    second.see(_body(SEEN), _body(SEEN), [SEEN])
    second.recall.add(first.recall)
    assert (second.recall.answers, second.recall.lossy_answers) == (2, 1)
    assert second.recall.kinds["lines"].share == 0.5
    assert second.recall.lost == first.recall.lost
