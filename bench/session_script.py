"""What the recorded agent says and does: a small feature in the demo provider, as a coding agent goes about it.

It looks around, reads, writes a failing test, implements, runs, reads again before it edits and checks again before it
says that it is done. Nothing here is output: that is recorded by running it.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple


class Ask(NamedTuple):
    """Something that the user says."""

    text: str


class Step(NamedTuple):
    """One assistant turn: words, and a tool call unless it is the end of a task."""

    says: str
    tool: str = ""
    arguments: dict[str, Any] = {}  # noqa: RUF012 - never changed


ABOUT = [
    "A recorded coding-agent session on this repository, made by bench/record_session.py.",
    (
        "Every tool result is what the command really printed in a clone of the repository, unshortened; only the"
        " clone's path is written as '.' and the Python environment's as '.venv'."
    ),
    (
        "The agent's words and its choice of commands were written down beforehand (bench/session_script.py); no model"
        " produced them. Its habit of reading a file again before editing it or relying on it, and of repeating checks,"
        " is that of coding agents; how often it does so here is a choice, so the savings are an example, no forecast."
    ),
]

RULES = """# How to work
- Look before you change: find the files that matter, read them whole, and follow the conventions you find there.
- Read a file again before you edit it when other steps came between: what you remember may be stale, and an edit whose
  old text does not match exactly fails.
- Prefer the smallest change that does what was asked. Do not refactor what you were not asked about, do not add
  dependencies, do not change public names.
- Write the test first where there is a place for it, see it fail for the right reason, then make it pass.
- Run the tests of what you touched after every change; run the linter and the type checker before you say that you
  are done.
- Never commit, push or change configuration unless the user asked for it.
- Say in one short sentence what you are about to do, then do it. When done, summarise what changed and what you
  checked. Report failures as they are.

# Tools
- Bash runs a command in the root of the repository and returns what it printed, standard error included. Its working
  folder does not change between calls. A failing command's result begins with its exit code.
- Read returns a whole file with line numbers. The numbers and the tab after them are not part of the file.
- Edit replaces exactly one occurrence of a string in a file. The old string must occur once.
- Use one tool call at a time when a later one depends on what an earlier one shows.

# Conventions of this repository
- Python 3.11 or newer, fully typed; the linter's line length is 120.
- Tests mirror the source path and their names read as sentences. Pure code is tested without mocks.
- Docstrings say what is yielded; comments say why, never what.
- Files stay under about 300 lines and functions under about 60."""

SYSTEM: list[dict[str, Any]] = [
    {"type": "text", "text": "You are a coding agent that works in the user's repository through tools."},
    {"type": "text", "text": RULES},
]


def _tool(name: str, purpose: str, /, **properties: str) -> dict[str, Any]:
    fields = {key: {"type": "string", "description": text} for key, text in properties.items()}
    schema = {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
    return {"name": name, "description": purpose, "input_schema": schema}


TOOLS: list[dict[str, Any]] = [
    _tool(
        "Bash",
        "Run a shell command in the root of the repository and return what it printed. Use it to list and search"
        " files, to run tests, linters and version control, never to print whole files: Read does that.",
        command="The command line, as bash takes it.",
        description="What the command does, in five to ten words.",
    ),
    _tool(
        "Read",
        "Return a file of the repository with line numbers. Read a file whole unless it is very long.",
        file_path="The file's path, relative to the root of the repository.",
    ),
    _tool(
        "Edit",
        "Replace one occurrence of a string in a file. Fails when the string does not occur or occurs more than once."
        " Keep indentation exactly; never include line numbers.",
        file_path="The file's path, relative to the root of the repository.",
        old_string="The text to replace, exactly as it stands in the file.",
        new_string="The text to put there.",
    ),
]

DEMO = "tokenpakd/demo"
LEDGER = f"{DEMO}/ledger.py"
CACHE = f"{DEMO}/prompt_cache.py"
DEMO_TESTS = f"tests/{DEMO}"
TESTS = f"{DEMO_TESTS}/test_ledger.py"
PYTEST = "python -m pytest -q -p no:cacheprovider"

NEW_TESTS = """

def test_hit_ratio_is_the_share_of_input_that_was_read_from_cache() -> None:
    ledger = Ledger()
    ledger.book("k", "go", [A], Charge(write_5m=60, plain=20), 1)
    ledger.book("k", "go", [A, B], Charge(read=100, write_5m=20), 1)
    assert ledger.bill("k").hit_ratio == 0.5


def test_hit_ratio_of_an_empty_bill_is_unknown_not_zero() -> None:
    assert Bill().hit_ratio is None
"""
OLD_UNITS = '''        """The price of all input, in units of one uncached token."""
        return self.input.units
'''
NAIVE = '''    def hit_ratio(self) -> float:
        """The share of input tokens that was read from the cache."""
        return self.input.read / self.input.tokens
'''
FIXED = '''    def hit_ratio(self) -> float | None:
        """The share of input tokens that was read from the cache; None before any input was billed."""
        return self.input.read / self.input.tokens if self.input.tokens else None
'''


def bash(says: str, command: str, description: str) -> Step:
    """Return a turn that runs a command."""
    return Step(says, "Bash", {"command": command, "description": description})


def read(says: str, path: str) -> Step:
    """Return a turn that reads a file."""
    return Step(says, "Read", {"file_path": path})


def edit(says: str, path: str, old: str, new: str) -> Step:
    """Return a turn that edits a file."""
    return Step(says, "Edit", {"file_path": path, "old_string": old, "new_string": new})


def steps() -> Iterator[Ask | Step]:
    """Yield the session's turns in order."""
    yield from _look_around()
    yield from _feature()
    yield from _follow_up()


def _look_around() -> Iterator[Ask | Step]:
    yield Ask(
        "The demo provider's bill should say which share of the input was read from the prompt cache. Add `hit_ratio`"
        " to `Bill` with tests: the share as a float, None while nothing was billed. Run the checks before you finish."
    )
    yield bash("I'll look at the repository first.", "git status --short && git log --oneline | head -15", "Show state")
    yield bash("Now the demo package and its tests.", f"wc -l {DEMO}/*.py {DEMO_TESTS}/*.py", "List the demo's files")
    yield bash("Who uses `Bill`?", "grep -rn 'Bill\\b' tokenpakd tests --include=*.py", "Find uses of Bill")
    yield read("The ledger is the place.", LEDGER)
    yield read("`Charge` comes from the prompt cache, so I read that as well.", CACHE)
    yield read("And the tests that are there.", TESTS)
    baseline = f"{PYTEST} {TESTS} {DEMO_TESTS}/test_prompt_cache.py"
    yield bash("A baseline before I change anything.", baseline, "Run the tests as they are")
    yield read("How does the provider hand out the bill?", f"{DEMO}/provider.py")
    search = "grep -rn 'None is not 0\\|| None:$' tokenpakd --include=*.py | head -40"
    yield bash("I check the conventions for figures that may be unknown.", search, "Look for conventions on None")
    yield read("`Usage` has the rule that None is not 0; I follow its wording.", "tokenpakd/exchange/usage.py")


def _feature() -> Iterator[Ask | Step]:
    yield read("Back to the tests: I read them again before I edit.", TESTS)
    last = '    ledger.book("k", "go", [A, B, C], Charge(), 0)\n    assert ledger.bill("k").prefix_breaks == 0\n'
    yield edit("The tests first.", TESTS, last, last + NEW_TESTS)
    yield bash("They should fail because the attribute is missing.", f"{PYTEST} {TESTS}", "Run the new tests")
    yield read("They fail for the right reason. I read the ledger again before the edit.", LEDGER)
    yield edit("Now the property.", LEDGER, OLD_UNITS, f"{OLD_UNITS}\n    @property\n{NAIVE}")
    yield bash("", f"{PYTEST} {TESTS}", "Run the tests again")
    yield read("The empty bill divides by zero. I look again at how `Charge` counts its tokens.", CACHE)
    yield edit("`tokens` is 0 there, so the ratio must be None.", LEDGER, NAIVE, FIXED)
    yield bash("", f"{PYTEST} {TESTS}", "Run the tests again")
    checks = f"ruff check --no-cache {DEMO} {DEMO_TESTS}; ruff format --no-cache --check {DEMO} {DEMO_TESTS}"
    checks += f"; mypy --cache-dir=/dev/null --strict {LEDGER}"
    yield bash("Green. Linter and types.", checks, "Lint and type-check")
    yield bash("The whole change at a glance.", "git diff", "Show the change")
    yield Step(
        "`Bill.hit_ratio` is in: the share of input tokens read from the cache, None while nothing was billed. Two"
        " tests cover it; the linter and the type checker are content."
    )


def _follow_up() -> Iterator[Ask | Step]:
    yield Ask("Can a division by zero of that kind happen anywhere else in the demo package? Is the table safe?")
    yield bash("I look for every division.", f"grep -n ' / \\| // ' {DEMO}/*.py", "Find divisions")
    yield read("`tokens_of` divides by a constant; I read where it is used.", f"{DEMO}/blocks.py")
    yield read("The table divides by what the client sent.", f"{DEMO}/table.py")
    yield read("It guards against zero. Do its tests cover that?", f"{DEMO_TESTS}/test_table.py")
    script = "from tokenpakd.demo.ledger import Bill; print(Bill().hit_ratio, Bill().units)"
    yield bash("An empty bill, to be sure.", f'python -c "{script}"', "Print the figures of an empty bill")
    yield read("And the client of the demo, which feeds the table.", f"{DEMO}/replay.py")
    yield bash("Is the change still what it was?", "git diff", "Show the change again")
    yield bash("The tests of both, once more.", f"{PYTEST} {TESTS} {DEMO_TESTS}/test_table.py", "Run the tests")
    yield Step(
        "No. The other divisions are by constants or guarded: the table yields 0.0 where the client sent nothing. Its"
        " median needs at least one exchange, and a replay that sends none has failed before. Nothing else changed;"
        " all tests pass."
    )
