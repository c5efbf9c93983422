"""The official openai SDK through the daemon: chat, responses, embeddings, models."""

import pytest

from tests.playbook.scripted_wire import PIECES, TEXT
from tests.sdks.driving import Driven, drive

CALL = {"name": "weather", "arguments": '{"city": "Graz"}'}


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Driven:
    return drive("sdks", "openai_sdk", tmp_path_factory.mktemp("openai"))


def test_chat_completes_unary_and_streamed(driven: Driven) -> None:
    assert driven.result("chat") == {"text": TEXT, "usage": [46, 34, 7]}
    assert driven.result("chat_stream") == {"pieces": list(PIECES), "usage": [46, 34, 7]}


def test_responses_complete_unary_and_streamed(driven: Driven) -> None:
    assert driven.result("responses") == {"text": TEXT, "usage": [46, 34, 7]}
    assert driven.result("responses_stream") == {"pieces": list(PIECES), "text": TEXT, "usage": [46, 34, 7]}


def test_tool_calls_come_back_on_both_wires(driven: Driven) -> None:
    assert driven.result("chat_tool") == CALL | {"text": TEXT}
    assert driven.result("responses_tool") == CALL


def test_embeddings_keep_their_base64_and_models_are_listed(driven: Driven) -> None:
    assert driven.result("embed") == [0.25, -0.5]
    assert driven.result("models") == ["gpt-scripted"]


@pytest.mark.parametrize(
    ("call", "error", "status"),
    [
        ("error_400", "BadRequestError", 400),
        ("error_429", "RateLimitError", 429),
        ("error_503", "InternalServerError", 503),
    ],
)
def test_errors_keep_their_type(driven: Driven, call: str, error: str, status: int) -> None:
    result = driven.result(call)
    assert (result["class"], result["status"]) == (error, status)


def test_wire_is_untouched_and_every_exchange_is_on_record(driven: Driven) -> None:
    driven.check_wire()
    assert len(driven.rows) == len(driven.seen_through)
