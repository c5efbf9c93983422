"""What a call is called, and which call a result answers."""

import msgspec
import pytest

from tokenpakd.dialects.calls import LABEL_CHARS, CallBook, described
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
        (b'{"filePath":"/a/b.ts","offset":3}', "/a/b.ts"),
        (b'{"absolute_path":"/a/b.go","limit":3}', "/a/b.go"),
        (b'{"pattern":"def look","path":"/a/src","-n":true}', "def look"),
        (b'{"command":"view","path":"/a/b.py","view_range":[1,9]}', "/a/b.py"),
        (b'{"command":"make","path":"/a"}', "make"),
        (b'{"file_path":"/a/b.py","query":["x"]}', "/a/b.py"),
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
    assert described(Raw(arguments)) == (expected, False)


def test_long_label_is_cut() -> None:
    said, _ = described(Raw(b'{"command":"%b"}' % (b"x" * 5_000)))
    assert len(said) == LABEL_CHARS
    assert said.endswith("x…")
    assert len(described(Raw(b'{"b":"%b"}' % (b"y" * 50_000)))[0]) == LABEL_CHARS


@pytest.mark.parametrize("key", [b"file_path", b"filePath", b"path"])
def test_long_path_is_cut_at_a_folder_in_front(key: bytes) -> None:
    path = b"/home/dev/projects/an organisation/packages/with-a-long-name/src/module/fields.py"
    said, _ = described(Raw(b'{"%b":"%b","limit":3}' % (key, path)))
    assert said == "…/packages/with-a-long-name/src/module/fields.py"
    assert described(Raw(b'{"%b":"%b"}' % (key, b"x" * 99)))[0] == "x" * (LABEL_CHARS - 1) + "…"


@pytest.mark.parametrize(
    ("arguments", "is_protected"),
    [
        (b'{"file_path":"/repo/CLAUDE.md"}', True),
        (b'{"command":"%b cat docs/AGENTS.md"}' % (b"x" * 100), True),
        (b'{"cmd":["cat",".cursorrules"]}', True),
        (b'"{\\"path\\": \\"soul.md\\"}"', True),
        (b'{"command":"view","path":"/repo/CLAUDE.md"}', True),
        (b'{"pattern":"test","path":"/repo/CLAUDE.md"}', True),
        (b'{"pattern":["test"],"path":"/repo/CLAUDE.md"}', True),
        (b'{"file_path":"/%b/.claude/CLAUDE.md"}' % (b"x" * 100), True),
        (b'{"file_path":"/repo/README.md"}', False),
        (b'{"file_path":"/repo/rules.py"}', False),
    ],
)
def test_file_that_instructs_the_model_is_protected(arguments: bytes, *, is_protected: bool) -> None:
    assert described(Raw(arguments))[1] is is_protected


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
    book.begin_turn()
    book.add(None, "read", Raw(b'{"path":"left over"}'))
    book.begin_turn()
    for path in (b"first", b"second", b"third"):
        book.add(None, "read", Raw(b'{"path":"%b"}' % path))
    book.add("x", "ls", Raw(b'{"path":"fourth"}'))
    book.add(None, "ls", Raw(b'{"path":"fifth"}'))
    assert book.answered_by("x", "ls") == Call("ls", "fourth", 1)
    assert book.answered_by(None, "ls") == Call("ls", "fifth", 1)
    assert book.answered_by(None, None) == Call("read", "first", 1)
    assert book.answered_by("unknown", "read") == Call("read", "second", 1)
    assert book.answered_by(None, "ls") is None
    assert book.answered_by("x", None) == Call("ls", "fourth", 1)
    assert book.answered_by(None, "") == Call("read", "third", 1)
    assert book.answered_by(None, None) is None


def test_order_is_kept_from_the_first_turn_on() -> None:
    book = CallBook()
    book.add("1", "read", Raw(b"{}"))
    assert book.answered_by(None, "read") is None
    assert book.answered_by("1", None) == Call("read", "", 1)
