"""What a call is called, and which call a result answers."""

import msgspec
import pytest

from tokenpakd.dialects.calls import LABEL_CHARS, CallBook, label
from tokenpakd.exchange.request import Call

Raw = msgspec.Raw


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (b'{"command":"cat src/a.py"}', "cat src/a.py"),
        (b'{"description":"d","file_path":"/a/b.py","limit":3}', "/a/b.py"),
        (b'{"query":"q","command":"c first"}', "c first"),
        (b'{"cmd":["bash","-lc","ls  -l"]}', "bash -lc ls -l"),
        (b'{"command":["ls",3]}', '["ls",3]'),
        (b'{"command":null,"path":"src"}', "src"),
        (b'{"command":"","url":"http://x"}', "http://x"),
        (b'{"path": 12}', "12"),
        (b'{"city" : "Paris", "n": 1.0}', '{"city":"Paris","n":1.0}'),
        (b'"{\\"command\\": \\"cat a\\\\nb\\"}"', "cat a b"),
        (b'"*** Begin Patch\\n*** End"', "*** Begin Patch *** End"),
        (b'"{not json"', "{not json"),
        (b'{"command":"a\\t b\\n\\n c"}', "a b c"),
        (b'{"path":"."}', ""),
        (b"{}", ""),
        (b"null", ""),
        (b"[1,2]", ""),
        (b" ", ""),
        (b'{"command":', ""),
        (b'{"command":"\\ud800"}', ""),
        (b'{"a":' * 3_000, ""),
    ],
)
def test_label_is_the_argument_that_says_most(arguments: bytes, expected: str) -> None:
    assert label(Raw(arguments)) == expected


def test_long_label_is_cut() -> None:
    said = label(Raw(b'{"command":"%b"}' % (b"x" * 5_000)))
    assert len(said) == LABEL_CHARS
    assert said.endswith("x…")
    assert len(label(Raw(b'{"b":"%b"}' % (b"y" * 50_000)))) == LABEL_CHARS


def test_calls_of_one_name_and_label_are_numbered() -> None:
    book = CallBook()
    for call_id, path in (("1", "a1"), ("2", "b1"), ("3", "a1")):
        book.add(call_id, "read", Raw(b'{"path":"%b"}' % path.encode()))
    assert [book.by_id(call_id) for call_id in "123"] == [
        Call("read", "a1", 1),
        Call("read", "b1", 1),
        Call("read", "a1", 2),
    ]


def test_call_without_label_is_numbered_among_all_of_its_tool() -> None:
    book = CallBook()
    book.add("1", "ls", Raw(b'{"path":"src"}'))
    book.add("2", "ls", Raw(b"{}"))
    assert book.by_id("2") == Call("ls", "", 2)


def test_id_used_again_means_the_latest_call() -> None:
    book = CallBook()
    book.add("x", "read", Raw(b'{"path":"old"}'))
    book.add("x", "read", Raw(b'{"path":"new"}'))
    assert book.by_id("x") == Call("read", "new", 1)
    book.add("x", "", Raw(b"{}"))
    assert book.by_id("x") is None


def test_unknown_or_absent_id_means_no_call() -> None:
    assert CallBook().by_id("x") is None
    assert CallBook().by_id(None) is None


def test_results_without_ids_answer_this_turn_s_calls_in_order() -> None:
    book = CallBook()
    book.add(None, "read", Raw(b'{"path":"left over"}'))
    book.begin_turn()
    for path in (b"first", b"second"):
        book.add(None, "read", Raw(b'{"path":"%b"}' % path))
    book.add(None, "ls", Raw(b'{"path":"third"}'))
    assert book.next_of("ls") == Call("ls", "third", 1)
    assert book.next_of(None) == Call("read", "first", 1)
    book.answered(Call("read", "second", 1))
    assert book.next_of("read") is None
