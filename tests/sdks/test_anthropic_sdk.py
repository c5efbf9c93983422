"""The official anthropic SDK, before and after `anthropic-version: 2026-10-21`, through the daemon."""

import pytest

from tests.playbook.scripted_wire import PIECES, TEXT
from tests.sdks.driving import Driven, drive


@pytest.fixture(scope="module", params=["anthropic1", "anthropic2"])
def driven(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Driven:
    return drive(request.param, "anthropic_sdk", tmp_path_factory.mktemp(request.param))


def test_unary_call_completes_with_usage(driven: Driven) -> None:
    assert driven.result("create") == {"text": TEXT, "usage": [12, 34, 7], "stop": "end_turn"}


def test_stream_arrives_piece_by_piece(driven: Driven) -> None:
    expected = {"pieces": list(PIECES), "text": TEXT, "usage": [12, 34, 7], "stop": "end_turn"}
    assert driven.result("stream") == expected


def test_tool_call_and_its_result_make_the_round(driven: Driven) -> None:
    expected = {"name": "weather", "input": {"city": "Graz"}, "stop": "tool_use", "text": TEXT}
    assert driven.result("tool") == expected
    assert driven.result("tool_stream") == {"name": "weather", "input": {"city": "Graz"}}


def test_tokens_are_counted_and_models_listed(driven: Driven) -> None:
    assert driven.result("count") == 46
    assert driven.result("models") == ["claude-scripted"]


@pytest.mark.parametrize(
    ("call", "error", "status"),
    [
        ("error_400", "BadRequestError", 400),
        ("error_429", "RateLimitError", 429),
        ("error_529", "OverloadedError", 529),
    ],
)
def test_errors_keep_their_type(driven: Driven, call: str, error: str, status: int) -> None:
    result = driven.result(call)
    assert (result["class"], result["status"]) == (error, status)


def test_wire_is_untouched_and_every_exchange_is_on_record(driven: Driven) -> None:
    driven.check_wire()
    versions = {seen.header("anthropic-version") for seen in driven.seen_through}
    expected = "2023-06-01" if driven.direct["version"].startswith("1.") else "2026-10-21"
    assert versions == {expected}
    assert len(driven.rows) == len(driven.seen_through)
