"""The value that the rooms hand on."""

from tests.tokenpakd.dataplane.fakes import plan


def test_a_plan_is_parsed_when_its_body_is_held_even_an_empty_one() -> None:
    assert plan().is_parsed
    assert plan(body=b"").is_parsed
    assert not plan(target=b"/v1/files", body=None).is_parsed
