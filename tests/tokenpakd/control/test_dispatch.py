import json
import logging

import pytest

from tests.tokenpakd.control.fakes import DAEMON, VERBS, Word
from tokenpakd.control.access import EVERYTHING, Access
from tokenpakd.control.dispatch import (
    CONFIG_ERROR,
    DENIED,
    FAILED,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    Call,
    Verb,
    answer,
    parse,
    table,
)

TABLE = table(VERBS)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"nonsense", PARSE_ERROR),
        (b"\xff\xfe", PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":1,"method":"echo","params":{"word":"a"}', PARSE_ERROR),
        (b"[" * 50_000, INVALID_REQUEST),
        (b'{"a":' * 50_000, PARSE_ERROR),
        (b'[{"jsonrpc":"2.0","id":1,"method":"echo"}]', INVALID_REQUEST),
        (b"  []", INVALID_REQUEST),
        (b"7", INVALID_REQUEST),
        (b"{}", INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":{},"method":"echo"}', INVALID_REQUEST),
        (b'{"jsonrpc":"1.0","id":1,"method":"echo","params":{"word":"a"}}', INVALID_REQUEST),
        (b'{"id":1,"method":"echo","params":{"word":"a"}}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":"fly"}', METHOD_NOT_FOUND),
        (b'{"jsonrpc":"2.0","id":1,"method":"__class__"}', METHOD_NOT_FOUND),
        (b'{"jsonrpc":"2.0","id":1,"method":"echo"}', INVALID_PARAMS),
        (b'{"jsonrpc":"2.0","id":1,"method":"echo","params":{"word":7}}', INVALID_PARAMS),
        (b'{"jsonrpc":"2.0","id":1,"method":"echo","params":{"word":"a","extra":1}}', INVALID_PARAMS),
        (b'{"jsonrpc":"2.0","id":1,"method":"echo","params":["a"]}', INVALID_PARAMS),
    ],
)
def test_a_bad_line_is_answered_with_its_code_and_a_hint(line: bytes, code: int) -> None:
    found = parse(line, TABLE, EVERYTHING)
    assert isinstance(found, bytes)
    assert found.count(b"\n") == 1
    reply = json.loads(found)
    assert (reply["jsonrpc"], reply["error"]["code"]) == ("2.0", code)
    assert reply["error"]["message"]
    assert reply["error"]["data"]["hint"].endswith(".")


def test_an_unknown_method_is_answered_with_those_that_exist() -> None:
    found = parse(b'{"jsonrpc":"2.0","id":"x","method":"fly"}', TABLE, EVERYTHING)
    assert isinstance(found, bytes)
    reply = json.loads(found)
    assert reply["id"] == "x"
    assert "echo" in reply["error"]["data"]["hint"]


@pytest.mark.parametrize("params", [b"", b',"params":null', b',"params":{}'])
def test_parameters_may_be_left_out_where_none_are_needed(params: bytes) -> None:
    found = parse(b'{"jsonrpc":"2.0","id":1,"method":"refuse"' + params + b"}", TABLE, EVERYTHING)
    assert isinstance(found, Call)


def test_a_verb_that_changes_something_needs_the_right_to() -> None:
    line = b'{"jsonrpc":"2.0","id":1,"method":"change","params":{"word":"a"}}'
    assert isinstance(parse(line, TABLE, EVERYTHING), Call)
    refused = parse(line, TABLE, frozenset({Access.READ}))
    assert isinstance(refused, bytes)
    assert json.loads(refused)["error"]["code"] == DENIED


@pytest.mark.parametrize(
    ("method", "code", "message"),
    [
        ("refuse", FAILED, "no"),
        ("misconfigured", CONFIG_ERROR, "mode: is wrong"),
        ("break", INTERNAL_ERROR, "break failed: RuntimeError"),
    ],
)
async def test_a_failing_verb_is_answered_and_says_no_more_than_it_should(
    method: str, code: int, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    call = parse(json.dumps({"jsonrpc": "2.0", "id": 5, "method": method}).encode(), TABLE, EVERYTHING)
    assert isinstance(call, Call)
    with caplog.at_level(logging.ERROR):
        reply = json.loads(await answer(call, DAEMON))
    assert (reply["id"], reply["error"]["code"], reply["error"]["message"]) == (5, code, message)
    assert b"sk-secret" not in json.dumps(reply).encode()
    assert ("verb_failed" in caplog.text) == (method == "break")


async def test_a_verb_that_answers_is_answered() -> None:
    call = parse(b'{"jsonrpc":"2.0","id":5,"method":"echo","params":{"word":"a\xc3\xa9"}}', TABLE, EVERYTHING)
    assert isinstance(call, Call)
    assert json.loads(await answer(call, DAEMON)) == {"jsonrpc": "2.0", "id": 5, "result": {"word": "aé"}}


def test_two_verbs_of_one_name_and_verbs_that_do_nothing_are_errors() -> None:
    with pytest.raises(ValueError, match="two verbs are called echo"):
        table([*VERBS, VERBS[0]])
    with pytest.raises(ValueError, match="needs either run or watch"):
        table([Verb(name="idle", access=Access.READ, params=Word)])
