"""The official google-genai SDK through the daemon, on /v1 and on /v1beta."""

import pytest

from tests.playbook.scripted_wire import PIECES, TEXT
from tests.sdks.driving import Driven, drive


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Driven:
    return drive("sdks", "genai_sdk", tmp_path_factory.mktemp("genai"))


def test_content_is_generated_on_both_paths(driven: Driven) -> None:
    assert driven.result("generate") == {"text": TEXT, "usage": [46, 34, 7]}
    assert driven.result("generate_v1beta") == {"text": TEXT, "usage": [46, 34, 7]}


def test_stream_arrives_piece_by_piece(driven: Driven) -> None:
    assert driven.result("stream") == {"pieces": list(PIECES), "usage": [46, 34, 7]}


def test_function_call_comes_back(driven: Driven) -> None:
    assert driven.result("tool") == {"name": "weather", "input": {"city": "Graz"}}


def test_tokens_are_counted_text_embedded_and_models_listed(driven: Driven) -> None:
    assert driven.result("count") == 46
    assert driven.result("embed") == [0.25, -0.5]
    assert driven.result("models") == ["models/gemini-scripted"]


@pytest.mark.parametrize(
    ("call", "error", "status"),
    [("error_400", "ClientError", 400), ("error_429", "ClientError", 429), ("error_503", "ServerError", 503)],
)
def test_errors_keep_their_type(driven: Driven, call: str, error: str, status: int) -> None:
    result = driven.result(call)
    assert (result["class"], result["status"]) == (error, status)


def test_wire_is_untouched_and_every_exchange_is_on_record(driven: Driven) -> None:
    driven.check_wire()
    assert len(driven.rows) == len(driven.seen_through)
