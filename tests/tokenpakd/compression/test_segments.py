"""The class of a result: from its call, else from how it begins."""

import json
import time

import pytest

from tokenpakd.compression.segments import Segment, segment_of
from tokenpakd.exchange.request import Call

TRACE = "Traceback (most recent call last):\n" + '  File "a.py", line 1, in b\n    return c()\n' * 5
SENTENCE = "All is well and nothing of note happened.\n"


@pytest.mark.parametrize(
    ("command", "segment"),
    [
        ("cat src/a.py", Segment.CODE),
        ("cat -n src/a.py | head -250", Segment.CODE),
        ("sed -n '10,50p' src/app/main.go", Segment.CODE),
        ("head -n 20 lib.rs 2>/dev/null", Segment.CODE),
        ("cd /testbed && cat pyproject.toml", Segment.CONFIG),
        ("cat .env", Segment.CONFIG),
        ("cat Makefile", Segment.CONFIG),
        ("cat package.json", Segment.CONFIG),
        ("less README.md", Segment.FILE_VIEW),
        ("nl -ba notes.txt", Segment.FILE_VIEW),
        ("cat src/sqlfluff/core/parser/gramm…", Segment.FILE_VIEW),
        ("tail -100 build.log", Segment.LOG),
        ("tail -f /var/log/syslog", Segment.LOG),
        ("git show HEAD:src/a.py", Segment.CODE),
        ("git blame src/a.py", Segment.FILE_VIEW),
        ("find . -name x.py -exec cat {} +", Segment.FILE_VIEW),
        ("find . -name '*.py' | xargs cat", Segment.FILE_VIEW),
        ("for f in a b; do cat $f; done", Segment.FILE_VIEW),
        ('grep -rn "a\\|b" src | head -20', Segment.SEARCH),
        ("cat src/a.py | grep -n def", Segment.SEARCH),
        ("git grep -n TODO", Segment.SEARCH),
        ('find . -name "*.py" -exec grep -l foo {} \\;', Segment.SEARCH),
        ("find . -type f | xargs grep foo", Segment.SEARCH),
        ("rg foo", Segment.SEARCH),
        ("ls -la", Segment.LISTING),
        ("pwd && ls -la | grep py", Segment.LISTING),
        ("find src -type f -name '*.py' | head", Segment.LISTING),
        ("git status", Segment.LISTING),
        ("git diff --stat", Segment.LISTING),
        ("docker ps -a", Segment.LISTING),
        ("git diff HEAD~1 | head -50", Segment.DIFF),
        ("git --no-pager diff", Segment.DIFF),
        ("git log -p src/a.py", Segment.DIFF),
        ("diff -u a.py b.py", Segment.DIFF),
        ("git diff | grep foo", Segment.DIFF),
        ("cd x && FOO=1 python -m pytest tests -x 2>&1 | tail -50", Segment.TEST),
        ("sudo -E env A=b timeout 60 pytest", Segment.TEST),
        ("uv run pytest -q", Segment.TEST),
        ("npm test -- --watch=false", Segment.TEST),
        ("npm run test:unit", Segment.TEST),
        ("npx jest", Segment.TEST),
        ("cargo test --all", Segment.TEST),
        ("go test ./...", Segment.TEST),
        ("make check", Segment.TEST),
        ("python manage.py test polls", Segment.TEST),
        ("python -m unittest", Segment.TEST),
        ("pip install -q pytest && pytest", Segment.TEST),
        ("pytest 2>&1 | grep FAILED", Segment.TEST),
        ("pip install -e .", Segment.LOG),
        ("python -m pip install x", Segment.LOG),
        ("npm run build", Segment.LOG),
        ("cargo build --release", Segment.LOG),
        ("make -j8", Segment.LOG),
        ("git log --oneline", Segment.LOG),
        ("docker logs web", Segment.LOG),
        ("bash -lc 'cd x && cat src/a.py'", Segment.CODE),
        ("bash -lc cd x && grep -rn foo .", Segment.SEARCH),
        ('/bin/sh -c "ls"', Segment.LISTING),
        ("ls src; cat src/a.py", Segment.CODE),
        ("python run.py && cat out.py", Segment.CODE),
        ("cat > a.py << 'EOF' import os", Segment.UNKNOWN),
        ("sed -i 's/a/b/' src/a.py", Segment.UNKNOWN),
        ("python reproduce.py", Segment.UNKNOWN),
        ("echo done", Segment.UNKNOWN),
        ("curl -s https://x.test/", Segment.UNKNOWN),
        ("", Segment.UNKNOWN),
        ("|| && ;;", Segment.UNKNOWN),
        ("'", Segment.UNKNOWN),
    ],
)
def test_command_says_what_it_prints(command: str, segment: Segment) -> None:
    assert segment_of(SENTENCE, Call("bash", command)) is segment


@pytest.mark.parametrize(
    ("tool", "label", "segment"),
    [
        ("Read", "/x/a.py", Segment.CODE),
        ("Read", "/x/settings.yaml", Segment.CONFIG),
        ("mcp__fs__read_file", "/x/readme", Segment.FILE_VIEW),
        ("str_replace_based_edit_tool", "view", Segment.FILE_VIEW),
        ("NotebookRead", "/x/n.ipynb", Segment.CODE),
        ("Edit", "/x/a.ts", Segment.CODE),
        ("Grep", "foo", Segment.SEARCH),
        ("codebase_search", "where is foo", Segment.SEARCH),
        ("Glob", "**/*.py", Segment.LISTING),
        ("LS", "/x", Segment.LISTING),
        ("list_dir", "/x", Segment.LISTING),
        ("WebFetch", "https://x.test", Segment.NARRATIVE),
        ("run_terminal_cmd", "ls -la", Segment.LISTING),
        ("container.exec", "bash -lc cat a.py", Segment.CODE),
        ("get_product_catalog", "shoes", Segment.UNKNOWN),
        ("review_credit_profile", "17", Segment.UNKNOWN),
    ],
)
def test_tool_says_what_it_returns(tool: str, label: str, segment: Segment) -> None:
    assert segment_of(SENTENCE, Call(tool, label)) is segment


@pytest.mark.parametrize(
    ("text", "segment"),
    [
        ('{"a": [1, 2]}\n', Segment.JSON),
        ('[\n  {"id": 1},\n  {"id": 2}\n]', Segment.JSON),
        ("[1, 2, 3]", Segment.JSON),
        ("[12:00:01] started\n[12:00:02] done\n[12:00:03] over", Segment.LOG),
        ("diff --git a/x b/x\nindex 1..2\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n", Segment.DIFF),
        ("<returncode>0</returncode>\n<output>\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n</output>", Segment.DIFF),
        ("Exit code 0\n     1\timport os\n     2\timport re\n     3\t\n", Segment.FILE_VIEW),
        ("     1→import os\n     2→import re\n     3→import sys\n", Segment.FILE_VIEW),
        ("447:    def a(\n448-        cls,\n449-    ):\n", Segment.UNKNOWN),
        ("src/a.py:1:import os\nsrc/a.py:7:import re\nsrc/b.py:2:import os\n", Segment.SEARCH),
        ("a.py-1-x\na.py:2:y\na.py-3-z\n", Segment.SEARCH),
        ("2026-05-03 10:00:00 INFO a\n2026-05-03 10:00:01 INFO b\n", Segment.LOG),
        ("INFO:a:b\nDEBUG:a:c\nplain\n", Segment.LOG),
        (
            "total 8\ndrwxr-xr-x 2 root root 4096 May  6 2025 .\n-rw-r--r-- 1 root root 9 May  6 2025 a\n",
            Segment.LISTING,
        ),
        ("src/a.py\nsrc/b.py\nsrc/c/d.py\n", Segment.LISTING),
        ("===== test session starts =====\ncollected 3 items\n", Segment.TEST),
        ("ok\n==== 3 passed, 1 failed in 0.1s ====\n", Segment.TEST),
        ("--- FAIL: TestX (0.00s)\n", Segment.TEST),
        ("import os\nimport re\n\ndef a(x):\n    return x\n\nclass B:\n    pass\n", Segment.CODE),
        (TRACE, Segment.UNKNOWN),
        (SENTENCE * 5, Segment.UNKNOWN),
        ("", Segment.UNKNOWN),
        ("[", Segment.UNKNOWN),
        ("\n" * 100, Segment.UNKNOWN),
    ],
)
@pytest.mark.parametrize("call", [None, Call("bash", "python run.py"), Call("do_something", "")])
def test_text_says_what_it_is_where_the_call_does_not(text: str, segment: Segment, call: Call | None) -> None:
    assert segment_of(text, call) is segment


def test_json_answer_of_a_search_is_json_but_a_viewed_json_file_stays_a_view() -> None:
    text = json.dumps([{"flight": 1}, {"flight": 2}])
    assert segment_of(text, Call("search_direct_flight", "JFK")) is Segment.JSON
    assert segment_of(text, Call("Read", "/x/package.json")) is Segment.CONFIG
    assert segment_of(text, Call("bash", "cat package.json")) is Segment.CONFIG
    assert segment_of(text, Call("bash", "curl -s https://x.test | head -c 500")) is Segment.JSON
    assert segment_of(text[:-3], Call("search_direct_flight", "JFK")) is not Segment.JSON


def test_instructions_are_protected_whatever_they_look_like() -> None:
    assert segment_of('{"a": 1}', Call("Read", "/x/CLAUDE.md", is_protected=True)) is Segment.PROTECTED


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "\n",
        "= passed, ",
        "for  in ",
        " ",
        "a/",
        "-1",
        "a.b-1",
        "[",
        "<warning>",
        ' File "',
        "1",
        "a:",
        "{",
        "\x1b[",
    ],
)
def test_long_text_costs_no_more_than_its_beginning(piece: str) -> None:
    text = piece * (2_000_000 // len(piece))
    begun = time.perf_counter()
    segment_of(text, None)
    assert time.perf_counter() - begun < 0.05
