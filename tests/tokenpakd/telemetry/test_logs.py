import io
import json
import logging
from collections.abc import Iterator

import pytest

from tokenpakd.exchange.request import RequestId
from tokenpakd.exchange.row import CloseRow, OpenRow, Outcome
from tokenpakd.exchange.usage import Usage
from tokenpakd.telemetry.logs import escaped, exchange_line, log_exchange, setup


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, raises = list(root.handlers), root.level, logging.raiseExceptions
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = raises


def row(
    usage: Usage | None = None, *, model: str | None = "claude-opus-4-5", saved: int = 348, estimate: int | None = 892
) -> CloseRow:
    opened = OpenRow(
        id=RequestId("r1"),
        at_unix_ms=1,
        boot_id="b",
        worker="w",
        path="/v1/messages",
        dialect="anthropic_messages",
        provider="anthropic",
        model=model,
        is_stream=False,
        mode="hybrid",
        conversation=None,
        client="codex",
        bytes_received=10,
        bytes_sent=8,
        saved_tokens=saved,
        sent_tokens_estimate=estimate,
        spans_replaced=1,
    )
    return CloseRow(opened=opened, outcome=Outcome.OK, status=200, usage=usage)


@pytest.mark.parametrize(
    ("closed", "line"),
    [
        (
            row(Usage(input_uncached=892, output=156)),
            "[req] claude-opus-4-5 | 1,240 in → 892 sent (28% saved) | 156 out | –",
        ),
        (row(), "[req] claude-opus-4-5 | 1,240 in → 892 sent (28% saved) | – out | –"),
        (row(saved=0), "[req] claude-opus-4-5 | 892 in → 892 sent (0% saved) | – out | –"),
        (row(model=None, estimate=None, saved=0), "[req] /v1/messages | – in → – sent (0% saved) | – out | –"),
        (
            row(Usage(input_uncached=0, output=0), saved=0),
            "[req] claude-opus-4-5 | 0 in → 0 sent (0% saved) | 0 out | –",
        ),
    ],
)
def test_an_exchange_is_one_line(closed: CloseRow, line: str) -> None:
    assert exchange_line(closed) == line


def test_on_a_terminal_auto_is_the_line_itself_and_elsewhere_json_with_the_line_as_message() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    setup("info", "auto", terminal)
    log_exchange(row())
    setup("info", "auto", pipe)
    log_exchange(row())
    assert terminal.getvalue() == exchange_line(row()) + "\n"
    line = json.loads(pipe.getvalue())
    assert line["message"] == exchange_line(row())
    assert (line["request_id"], line["outcome"], line["level"]) == ("r1", "ok", "info")


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize(
    "text",
    [
        "a\r\nb",
        "\x1b]8;;http://evil\x07click",
        "\x9b31m",
        "\u202eevil",
        "\u2028two",
        "\u2066x",
        "nul\x00",
        "\ud800",
        "\x7f",
    ],
)
def test_one_line_in_is_one_line_out_and_nothing_that_a_terminal_obeys(form: str, text: str) -> None:
    stream = io.StringIO()
    setup("info", form, stream)
    logging.getLogger("tokenpak.test").info("%s", text, extra={"model": text})
    log_exchange(row(model=text))
    lines = stream.getvalue().split("\n")
    assert len(lines) == 3
    assert all(character.isprintable() for line in lines for character in line)
    if form == "json":
        assert [set(json.loads(line)) >= {"at_unix_ms", "message"} for line in lines[:2]] == [True, True]


def test_levels_hold_and_noisy_libraries_are_silent() -> None:
    stream = io.StringIO()
    setup("warning", "json", stream)
    logging.getLogger("tokenpak.test").info("hidden")
    log_exchange(row())
    logging.getLogger("httpx").warning("GET https://host/?key=secret")
    logging.getLogger("hypercorn.error").warning("noise")
    assert stream.getvalue() == ""
    logging.getLogger("tokenpak.test").warning("shown", extra={"generation": 3})
    assert json.loads(stream.getvalue())["generation"] == 3


@pytest.mark.parametrize("form", ["json", "text"])
def test_an_exception_is_told_by_type_and_place_and_never_by_its_words(form: str) -> None:
    stream = io.StringIO()
    setup("info", form, stream)
    try:
        raise ValueError("illegal header: x-api-key: secret")
    except ValueError:
        logging.getLogger("tokenpak.test").exception("connection_failed")
    assert "ValueError at test_logs.py:" in stream.getvalue()
    assert "secret" not in stream.getvalue()
    assert stream.getvalue().count("\n") == 1


def test_a_field_of_no_json_type_is_said_all_the_same() -> None:
    stream = io.StringIO()
    setup("info", "json", stream)
    logging.getLogger("tokenpak.test").info("odd", extra={"path": object, "loop": {1, 2}})
    assert json.loads(stream.getvalue())["message"] == "odd"


def test_a_log_that_cannot_be_written_harms_nobody() -> None:
    stream = io.StringIO()
    setup("info", "json", stream)
    stream.close()
    log_exchange(row())


def test_escaping_leaves_what_people_write() -> None:
    assert escaped("1,240 in → 892 – é 日本語 🎉") == "1,240 in → 892 – é 日本語 🎉"
