"""The official ollama SDK through the daemon."""

import pytest

from tests.playbook.scripted_wire import PIECES, TEXT
from tests.sdks.driving import Driven, drive


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Driven:
    return drive("sdks", "ollama_sdk", tmp_path_factory.mktemp("ollama"))


def test_chat_completes_unary_and_streamed(driven: Driven) -> None:
    assert driven.result("chat") == {"text": TEXT, "usage": [46, 7]}
    assert driven.result("stream") == {"pieces": list(PIECES), "usage": [46, 7]}


def test_tool_call_comes_back(driven: Driven) -> None:
    assert driven.result("tool") == {"name": "weather", "input": {"city": "Graz"}}


def test_text_is_generated_and_embedded_and_models_listed(driven: Driven) -> None:
    assert driven.result("generate") == TEXT
    assert driven.result("embed") == [[0.25, -0.5]]
    assert driven.result("models") == ["scripted:latest"]


@pytest.mark.parametrize(("call", "status"), [("error_400", 400), ("error_429", 429), ("error_503", 503)])
def test_errors_keep_their_type(driven: Driven, call: str, status: int) -> None:
    result = driven.result(call)
    assert (result["class"], result["status"]) == ("ResponseError", status)


def test_wire_is_untouched_and_every_exchange_is_on_record(driven: Driven) -> None:
    driven.check_wire()
    assert len(driven.rows) == len(driven.seen_through)
