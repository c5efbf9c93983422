"""What kind of text a block is: it decides which compressors may read it.

Rules of this file:
- The call decides where it says enough; else the first 4 KB of the text do. Constant time whatever the size.
- Where one result holds several kinds (`ls; cat a.py`), the one that allows least wins: what an editor must quote
  later is never taken for a log.
"""

import enum
import re
from collections.abc import Iterator
from itertools import pairwise

from tokenpakd.exchange.request import Call


class Segment(enum.StrEnum):
    """Content classes. `UNKNOWN` is plain tool output of no recognised form."""

    NARRATIVE = "narrative"
    CODE = "code"
    CONFIG = "config"
    FILE_VIEW = "file_view"
    """A file or part of it as a reading tool showed it: code, configuration or prose, maybe with line numbers."""
    DIFF = "diff"
    LOG = "log"
    TEST = "test"
    LISTING = "listing"
    SEARCH = "search"
    JSON = "json"
    UNKNOWN = "unknown"
    PROTECTED = "protected"


_HEAD_CHARS = 4_096
_TAIL_CHARS = 64
_LINES = 60
_LINE_CHARS = 200
_WRAPPINGS = 6
_FILE_VIEWS = frozenset((Segment.FILE_VIEW, Segment.CODE, Segment.CONFIG))
_VIEWS = _FILE_VIEWS | {Segment.DIFF}

_NAME_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_SHELLS = re.compile(r"bash|shell|terminal|command|cmd|exec|console|^run$|^sh$|powershell", re.IGNORECASE)


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


# Tools by the words of their names; the second set, where there is one, must be met too unless the word stands alone.
_TOOLS = (
    (_set("read view cat open edit write replace"), _set("file files notebook editor str multi"), Segment.FILE_VIEW),
    (_set("list find glob tree ls"), _set("file files dir directory folder glob tree"), Segment.LISTING),
    (_set("search grep rg references"), _set("file files code codebase text content regex grep"), Segment.SEARCH),
    (_set("fetch web browser browse task agent"), _set(""), Segment.NARRATIVE),
)
_CODE_FILES = _set(
    "bash c cc clj cpp cs css cu cxx dart el erl ex exs fs go h hpp hs htm html ipynb java jl js jsx kt kts lua m ml mm"
    " php pl pm proto ps1 py pyi pyx r rb rs s scala scss sh sol sql svelte swift tcl ts tsx vb vue zig zsh"
)
_CONFIG_FILES = _set(
    "cfg conf editorconfig env gitignore gradle ini json json5 jsonc lock mk plist properties service tf toml xml yaml"
    " yml dockerfile makefile gemfile procfile"
)
_LOG_FILES = _set("log out err")
_BUILDERS = _set(
    "pip pip3 npm npx yarn pnpm bun cargo go make cmake ninja gcc g++ clang cc rustc javac docker docker-compose podman"
    " kubectl helm apt apt-get dnf yum apk brew conda mamba uv poetry pipx mvn gradle gradlew bundle gem composer"
    " journalctl dmesg systemctl terraform ansible ansible-playbook tsc eslint prettier ruff black flake8 mypy pylint"
    " pyright wget rsync tar unzip git hg svn dotnet msbuild bazel webpack vite pre-commit twine"
)
_COMMANDS: dict[str, Segment] = {
    **dict.fromkeys(_set("cat head tail sed nl less more bat batcat awk gawk tac pr xxd hexdump"), Segment.FILE_VIEW),
    **dict.fromkeys(_set("grep egrep fgrep zgrep rg ag ack"), Segment.SEARCH),
    **dict.fromkeys(_set("ls ll find tree fd fdfind exa eza du df wc stat file dir ps lsof"), Segment.LISTING),
    **dict.fromkeys(_set("diff colordiff icdiff"), Segment.DIFF),
    **dict.fromkeys(
        _set("pytest py.test tox nox jest vitest mocha rspec phpunit ctest bats runtests.py"), Segment.TEST
    ),
    **dict.fromkeys(_BUILDERS, Segment.LOG),
}
_GIT = {
    **dict.fromkeys(("diff", "show", "format-patch"), Segment.DIFF),
    **dict.fromkeys(("ls-files", "ls-tree", "status", "branch"), Segment.LISTING),
    "grep": Segment.SEARCH,
    "blame": Segment.FILE_VIEW,
}
_LISTERS = _set("docker podman kubectl npm helm")
_LISTED = _set("ps images get ls")
_TESTERS = _set("npm yarn pnpm bun cargo go make mvn gradle gradlew dotnet bazel uv poetry npx just")
_TESTED = re.compile(r"^(run-)?(test|tests|check|unittest|pytest|jest|vitest|mocha)([:_-].*)?$")
_INTERPRETERS = re.compile(r"^(python[\d.]*|pypy3?|py|node|deno|ruby|perl|php)$")
_LEADING = _set("sudo time env nohup command exec builtin stdbuf do then else if while until ! { ( xargs timeout")
_WORDS = re.compile(r"""&&|\|\||\|&?|;+|&(?!\d)|(?:[^\s"'\\;|&>]++|"(?:\\.|[^"\\])*"?|'[^']*'?|\\.|&?>[>&]?\d?)+""")
_ASSIGNMENT = re.compile(r"^\w+=")
_SHELL_WORD = re.compile(r"^(/\S*/)?(ba|z|da|k)?sh$")

_WRAPPER = re.compile(
    r"\s*+(?:<returncode>-?\d+</returncode>|<(?:output|output_head|stdout|result|bash_output|function_results)>"
    r"|<warning>.*?</warning>|(?:exit code|exit_code|return code|command exited with code):?\s*-?\d+[ \t]*\n"
    r"|(?:Chunk ID|Wall time|Process exited with code|Original token count)[^\n]*\n|(?:Output|Stdout|STDOUT):[ \t]*\n"
    r"|Here's the result of running [^\n]*\n)",
    re.DOTALL | re.IGNORECASE,
)
_JSON_START = re.compile(r'\s*+(?:\{\s*+["}]|\[\s*+(?:[\[{"\d\]-]|true\b|false\b|null\b))')
# What is counted by lines begins with the end of the line before: a line costs a tenth of what a call for it would.
_SPEAKS = re.compile(
    r"(?m)\n(?:(diff --git |Index: \S|--- a/|@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@)|=++ (?:.*, )?\d+ (?:passed|failed"
    r"|errors?|skipped)\b|[ \t]*+--- (?:PASS|FAIL): |test result: |running \d+ tests?$|Ran \d+ tests? in "
    r"|(?:PASS|FAIL) {1,2}\S+\.\w+|Tests: +\d+ )"
)
_NUMBERED = re.compile(r"\n *+[^\S\n]*+(\d+)(?:\t|→|:| ?\|| {2})")
_FOUND = re.compile(
    r"\n(?=[\w./@+~-])(?:[\w.@+~-]*+/[\w./@+~-]++:(?!//)|(?=[\w@+~-]*+[./])[\w./@+~-]++:\d++[:-]"
    r"|(?=[\w./@+~-]+?-\d+-)(?=[^:\n]*[./]))"
)
_STAMPED = re.compile(
    r"\n[\[(]?(?:\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d|\d\d:\d\d:\d\d\b|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d "
    r"|(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL)\b)"
)
_LISTED_LINE = re.compile(
    r"(?m)\n(?:total \d+\S?$|[-bcdlps](?:[r-][w-][xsStT-]){3}[.+@]?[^\S\n]|\.{0,2}/?[\w.@+-]+(?:/[\w.@+-]+)+/?$)"
)
_CODE_LINE = re.compile(
    r"(?m)\n *+[^\S\n]*+(?:(?:async )?def \w+\(|class \w+|import \w|from [\w.]+ import |return\b|function\b"
    r"|(?:const|let|var) \w+|(?:public|private|protected|static) |#include |package \w|(?:pub )?(?:fn|impl|struct|use) "
    r"|(?:else )?if \(.*\{$|for \(|elif .*:$|if .*:$|for .* in .*:$|@\w+|self\.\w+ = |\}$)"
)
_TRACE = re.compile(r'\n(?:Traceback |[ \t]++(?:File "[^"\n]+", line \d+|at [\w.$<>]+ ?\())')


def segment_of(text: str, call: Call | None) -> Segment:
    """Return the class of a tool result, from the call that brought it and its own beginning."""
    if call is not None and call.is_protected:
        return Segment.PROTECTED
    said = _said_by(call) if call is not None else None
    if said not in _VIEWS and _looks_like_json(text):
        return Segment.JSON
    return _shape(text) if said is None else said


def _looks_like_json(text: str) -> bool:
    return _JSON_START.match(text, 0, _HEAD_CHARS) is not None and text[-_TAIL_CHARS:].rstrip()[-1:] in ("}", "]")


def _said_by(call: Call) -> Segment | None:
    name = call.name.rpartition("__")[2].rpartition(".")[2]
    if _SHELLS.search(name):
        return _of_command(call.label)
    words = [word.lower() for word in _NAME_WORDS.findall(name)]
    for acts, objects, segment in _TOOLS:
        if not acts.isdisjoint(words) and (len(words) == 1 or not objects or not objects.isdisjoint(words)):
            return _of_file(call.label) if segment is Segment.FILE_VIEW else segment
    return None


def _of_file(path: str) -> Segment:
    name = path.rstrip("\"')").rpartition("/")[2].lower()
    extension = name.rpartition(".")[2]
    if extension in _CODE_FILES:
        return Segment.CODE
    if extension in _CONFIG_FILES:
        return Segment.CONFIG
    return Segment.LOG if extension in _LOG_FILES and "." in name else Segment.FILE_VIEW


def _of_command(line: str) -> Segment | None:
    """Return the class of what a shell line prints: of the first command that prints, but views go first."""
    first: Segment | None = None
    for words, is_piped in _simple_commands(line):
        segment = _of_words(words)
        if is_piped:
            # A filter shows lines of what it is given: only a search in a file, or a view of files found, is new.
            if segment is Segment.SEARCH and (first in _FILE_VIEWS or words[0] == "xargs"):
                first = Segment.SEARCH
            elif segment in _VIEWS and words[0] == "xargs":
                first = segment
            continue
        if first is None or (segment in _VIEWS and first not in _VIEWS):
            first = segment
        elif first is Segment.LOG and segment is Segment.TEST:
            first = segment  # what was installed or built for it is the lesser part
    return first


def _simple_commands(line: str) -> Iterator[tuple[list[str], bool]]:
    """Yield each simple command's words and whether it reads a pipe; at most what 60 characters can hold."""
    words: list[str] = []
    is_piped = False
    for word in _WORDS.findall(_unwrapped(line)):
        if word[0] not in ";&|":
            words.append(word)
            continue
        if words:
            yield words, is_piped
        words, is_piped = [], word in ("|", "|&")
    if words:
        yield words, is_piped


def _unwrapped(line: str) -> str:
    """Return the line that `bash -lc` and its like are given."""
    words = line.split(" ", 2)
    if len(words) == 3 and _SHELL_WORD.match(words[0]) and words[1].startswith("-") and words[1].endswith("c"):
        inner = words[2]
        return inner[1:].removesuffix(inner[0]) if inner[:1] in ("'", '"') else inner
    return line


def _of_words(words: list[str]) -> Segment | None:
    at = 0
    last = len(words) - 1
    while at < last and (
        words[at] in _LEADING or _ASSIGNMENT.match(words[at]) or (at and words[at][:1] in "-0123456789")
    ):
        at += 1
    name = words[at].lstrip("({").rpartition("/")[2]
    rest = words[at + 1 :]
    if _INTERPRETERS.match(name):
        return _of_interpreter(rest)
    segment = _COMMANDS.get(name)
    if segment is None:
        return None
    plain = [word for word in rest if not word.startswith("-") and ">" not in word]
    if segment is Segment.FILE_VIEW:
        return _of_view(name, rest, plain)
    if name == "find" and "-exec" in rest:
        return _of_words(rest[rest.index("-exec") + 1 :] or ["ls"]) or Segment.LISTING
    verb = plain[0] if plain else ""
    if name == "git":
        return _of_git(verb, rest)
    if name in _TESTERS and any(_TESTED.match(word) for word in plain[:2]):
        return Segment.TEST
    return Segment.LISTING if name in _LISTERS and verb in _LISTED else segment


def _of_interpreter(rest: list[str]) -> Segment | None:
    plain = [word for word in rest if not word.startswith("-")] or [""]
    name = plain[0].rpartition("/")[2]
    if "-m" in rest:
        return Segment.TEST if name == "unittest" else _COMMANDS.get(name)
    if name == "runtests.py" or (name == "manage.py" and plain[1:2] == ["test"]):
        return Segment.TEST
    return Segment.LOG if name == "setup.py" else None


def _of_git(verb: str, rest: list[str]) -> Segment:
    if any(word.startswith(("--stat", "--name-", "--shortstat", "--numstat")) for word in rest):
        return Segment.LISTING
    if verb == "show" and any(":" in word and not word.startswith("-") for word in rest):
        return _of_file(rest[-1])
    if verb in ("log", "stash") and ("-p" in rest or "--patch" in rest):
        return Segment.DIFF
    return _GIT.get(verb, Segment.LOG)


def _of_view(name: str, rest: list[str], plain: list[str]) -> Segment | None:
    is_written = any(word.startswith((">", "1>")) for word in rest) or "<<" in "".join(rest)
    if is_written or (name == "sed" and any(word.startswith(("-i", "--in-place")) for word in rest)):
        return None
    if name == "tail" and "-f" in rest:
        return Segment.LOG
    return _of_file(plain[-1]) if plain else Segment.FILE_VIEW


def _shape(text: str) -> Segment:
    """Return what the first 4 KB look like, wrappings of agents looked through."""
    start = 0
    for _ in range(_WRAPPINGS):
        wrapper = _WRAPPER.match(text, start, _HEAD_CHARS)
        if wrapper is None:
            break
        start = wrapper.end()
    head = "\n" + text[start : start + _HEAD_CHARS]
    spoken = _SPEAKS.findall(head)  # a diff's heading; nothing for what a test runner says
    if spoken or "test session starts" in head:
        return Segment.DIFF if any(spoken) else Segment.TEST
    lines = [line[:_LINE_CHARS] for line in head.split("\n", _LINES + 1)[1 : _LINES + 1] if line.strip()]
    if len(lines) > 1 and len(head) > _HEAD_CHARS:
        lines.pop()  # cut in two
    begins = "\n" + "\n".join(lines)
    most = max(2, len(lines) * 0.6)
    if _is_numbered(begins, most):
        return Segment.FILE_VIEW
    if len(_STAMPED.findall(begins)) >= max(2, len(lines) * 0.3):
        return Segment.LOG
    if len(_LISTED_LINE.findall(begins)) >= most:
        return Segment.LISTING
    if len(_FOUND.findall(begins)) >= most:
        return Segment.SEARCH
    if len(_CODE_LINE.findall(begins)) >= max(4, len(lines) * 0.2) and _TRACE.search(head) is None:
        return Segment.CODE
    return Segment.UNKNOWN


def _is_numbered(begins: str, most: float) -> bool:
    """Whether lines carry numbers that go up by one, as reading tools print them."""
    numbers = [int(number[:9]) for number in _NUMBERED.findall(begins)]
    return len(numbers) >= most and sum(b - a == 1 for a, b in pairwise(numbers)) >= most - 1
