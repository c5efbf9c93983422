"""A programmer at work on this repository, in memory: what is read, edited, searched and run, in order.

Deterministic: the same seed on the same files makes the same steps. Nothing on disk is changed, no model and no
client is run. How a client writes the steps down is another matter (coding_clients.py).
"""

import difflib
import fnmatch
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[2]
ROOT = "/home/dev/projects/tokenpak"
_FOLDERS = ("tokenpakd/compression", "tokenpakd/dialects", "tokenpakd/replay", "tokenpakd/config")
_DEFINED = re.compile(r"^ *(?:async )?def (\w+)\(|^class (\w+)")


class Step(NamedTuple):
    """One act. `kind` says which of the fields mean something; `path` is relative to the workspace."""

    kind: str
    path: str = ""
    offset: int = 0
    limit: int = 0
    text: str = ""
    """What was found, printed or written; of an edit the file as it stands afterwards."""
    pattern: str = ""
    changes: tuple[tuple[str, str], ...] = ()
    rows: tuple[tuple[str, int, str, str], ...] = ()
    """Of a search: path, number, mark (`:` found, `-` beside it), line."""
    is_error: bool = False
    says: str = ""


class Workspace:
    """Files that can be changed, and the steps taken on them so far."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.before = {
            str(file.relative_to(REPOSITORY)): file.read_text()
            for folder in _FOLDERS
            for file in sorted((REPOSITORY / folder).glob("*.py"))
            if 1_500 < file.stat().st_size < 14_000
        }
        self.files = dict(self.before)
        self.steps: list[Step] = []

    def read(self, path: str, offset: int = 0, limit: int = 0, says: str = "") -> None:
        self.steps.append(Step("read", path, offset, limit, self.files[path], says=says))

    def edit(self, path: str, *changes: tuple[str, str], says: str = "") -> None:
        text = self.files[path]
        for old, new in changes:
            if text.count(old) != 1:
                error = f"String to replace not found in file.\nString: {old}"
                self.steps.append(Step("edit", path, text=error, changes=changes, is_error=True))
                return
            text = text.replace(old, new)
        self.files[path] = text
        self.steps.append(Step("edit", path, text=text, changes=changes, says=says))

    def write(self, path: str, text: str) -> None:
        is_new = path not in self.files
        self.files[path] = text
        self.steps.append(Step("write", path, text=text, says="A file of its own." if is_new else "All of it anew."))

    def search(self, pattern: str, folder: str = "tokenpakd", beside: int = 0) -> None:
        rows = tuple(
            row
            for path, text in self.files.items()
            if path.startswith(folder)
            for row in _found(path, text, pattern, beside)
        )
        self.steps.append(Step("search", folder, pattern=pattern, rows=rows))

    def which(self, pattern: str) -> None:
        paths = [path for path, text in self.files.items() if re.search(pattern, text)]
        self.steps.append(Step("which", "tokenpakd", text="\n".join(paths), pattern=pattern))

    def glob(self, pattern: str) -> None:
        paths = [path for path in self.files if fnmatch.fnmatch(path, pattern)]
        self.steps.append(Step("glob", text="\n".join(paths), pattern=pattern))

    def run(self, command: str, output: str, *, is_error: bool = False) -> None:
        self.steps.append(Step("run", pattern=command, text=output, is_error=is_error))

    def told(self, kind: str, text: str, pattern: str = "") -> None:
        """Note what comes from elsewhere: `user`, `todo`, `fetch`, `task`, `image`, `linted`."""
        self.steps.append(Step(kind, text=text, pattern=pattern))

    def diff(self) -> str:
        """Return what `git diff` prints."""
        return "\n".join(
            f"diff --git a/{path} b/{path}\nindex {len(text):07x}..{len(self.files[path]):07x} 100644\n"
            + "\n".join(
                difflib.unified_diff(_lines(text), _lines(self.files[path]), f"a/{path}", f"b/{path}", lineterm="")
            )
            for path, text in self.before.items()
            if text != self.files[path]
        )

    def status(self) -> str:
        """Return what `git status` prints."""
        changed = [path for path, text in self.before.items() if text != self.files[path]]
        lines = [
            "On branch main",
            "Your branch is up to date with 'origin/main'.",
            "",
            "Changes not staged for commit:",
        ]
        lines += [
            '  (use "git add <file>..." to update what will be committed)',
            *(f"\tmodified:   {path}" for path in changed),
        ]
        lines += ["", "Untracked files:", *(f"\t{path}" for path in self.files if path not in self.before)]
        return "\n".join(lines)

    def listed(self, folder: str) -> str:
        """Return what `ls -la` prints."""
        rows = [
            f"-rw-r--r-- 1 dev dev {len(text):6} Nov 20 14:{len(text) % 60:02} {path.rpartition('/')[2]}"
            for path, text in self.files.items()
            if path.startswith(folder)
        ]
        return "\n".join([f"total {len(rows) * 8}", "drwxr-xr-x  2 dev dev   4096 Nov 20 14:37 .", *rows])

    def tested(self, path: str, failing: int = 0) -> str:
        """Return what `pytest -v` prints of a module's tests; one that fails is shown with the code it fell over."""
        module = path.rpartition("/")[2].removesuffix(".py")
        names = [name for name, _ in definitions(self.files[path])]
        test = f"tests/{path.rpartition('/')[0]}/test_{module}.py"
        lines = ["=" * 29 + " test session starts " + "=" * 30]
        lines += ["platform linux -- Python 3.11.7, pytest-9.0.1, pluggy-1.6.0 -- /home/dev/.venv/bin/python"]
        lines += ["cachedir: .pytest_cache", f"rootdir: {ROOT}", f"collected {len(names)} items", ""]
        for nth, name in enumerate(names):
            said = "FAILED" if nth == failing - 1 else "PASSED"
            lines.append(f"{test}::test_{name} {said}".ljust(72) + f"[{(nth + 1) * 100 // len(names):3}%]")
        if failing:
            name, at = definitions(self.files[path])[failing - 1]
            code = _lines(self.files[path])[at : at + 9]
            lines += [
                "",
                "=" * 35 + " FAILURES " + "=" * 35,
                f" test_{name} ".center(80, "_"),
                "",
                f"{test}:{at + 20}: ",
            ]
            lines += [f"    {line}" for line in code] + [">       raise KeyError(name)", "E       KeyError: 'name'", ""]
            lines += [f"{path}:{at + 9}: KeyError"]
        return "\n".join([*lines, "", f" {len(names)} in 0.{len(names):02}s ".center(80, "=")])


def definitions(text: str) -> list[tuple[str, int]]:
    """Return what a module defines: (name, line from 0)."""
    found = [(match[1] or match[2], at) for at, line in enumerate(_lines(text)) if (match := _DEFINED.match(line))]
    return found or [("module", 0)]


def anchor(text: str, at: int, size: int) -> str:
    """Return so many lines from a line on, and as many more as make them the only ones of their kind."""
    lines = _lines(text)
    at = min(at, len(lines) - 1)
    while size < len(lines) and text.count("\n".join(lines[at : at + size])) != 1 and at + size < len(lines):
        size += 1
    return "\n".join(lines[at : at + size])


def worked(seed: int, tasks: int = 4) -> list[Step]:
    """Return the steps of one session of so many tasks."""
    space = Workspace(seed)
    space.told("user", "Please make the names in tokenpakd clearer and cover them by tests.")
    paths = space.chance.sample(sorted(space.files), min(tasks, len(space.files)))
    space.glob("tokenpakd/*/*.py")
    for number, path in enumerate(paths):
        space.told("todo", f"task {number}")
        _task(space, path, number)
    space.run("git status", space.status())
    space.run("git diff", space.diff())
    space.told("user", "Thanks. Now undo the last of it.")
    space.read(paths[-1], says="Again from the top.")
    return space.steps


def _task(space: Workspace, path: str, number: int) -> None:
    chance, folder = space.chance, path.rpartition("/")[0]
    name, at = chance.choice(definitions(space.files[path]))
    space.search(name, folder, beside=chance.choice((0, 0, 2)))
    size = len(_lines(space.files[path]))
    if chance.random() < 0.7 or size < 60:
        space.read(path)
    else:
        space.read(path, offset=max(1, at - 20), limit=60)
    for turn in range(chance.randint(2, 4)):
        _change(space, path, turn)
        if chance.random() < 0.5:
            now = chance.choice(definitions(space.files[path]))[1]
            offset = max(1, now - chance.randint(2, 15))
            space.read(path, offset, chance.choice((20, 40, 80)), says=f"From line {offset} on.")
    _aside(space, path, number)
    space.run(f"pytest -v tests/{folder}", space.tested(path, failing=1 + number % 2), is_error=True)
    space.search(name, folder)
    _change(space, path, number)
    space.run(f"cd {ROOT} && git diff {path}", space.diff())
    space.run(f"pytest -v tests/{folder}", space.tested(path))
    if chance.random() < 0.6:
        space.read(path, says="Once more.")


def _change(space: Workspace, path: str, turn: int) -> None:
    chance, text = space.chance, space.files[path]
    name, at = chance.choice(definitions(text))
    old = anchor(text, at, chance.choice((1, 3, 6)))
    lines = old.split("\n")
    indent = lines[-1][: len(lines[-1]) - len(lines[-1].lstrip())]
    fresh = [f"{indent}# {name}: checked in round {turn}.{nth}" for nth in range(chance.choice((1, 2, 5)))]
    kept = lines[:-1] if chance.random() < 0.2 and len(lines) > 1 else lines
    change = old, "\n".join([*kept, *fresh])
    if turn == 2:
        other = anchor(text, 0, 1)
        if other not in old:
            space.edit(path, change, (other, f'"""Reviewed.\n\n{other.lstrip(chr(34))}'), says="Two places at once.")
            return
    space.edit(path, change, says=f"`{name}` first.")
    if turn == 1:
        space.edit(path, (old, "never there"), says="And once more.")


def _aside(space: Workspace, path: str, number: int) -> None:
    """What happens beside the work: a new file and a look at it, a page, a helper's report, a picture."""
    if number % 4 == 0:
        fresh = path.replace(".py", "_names.py")
        space.write(fresh, '"""Names."""\n\n' + "\n\n".join(space.files[path].split("\n\n")[1:6]) + "\n")
        space.read(fresh)
        space.write(fresh, space.files[fresh].replace("Names", "All names") + "\nNAMES = ()\n")
        space.run(f"cat {fresh}", space.files[fresh])
    elif number % 4 == 1:
        page = " ".join(
            f"Rule {nth}: a name says what is yielded, in words that a reader of chapter {nth} knows."
            for nth in range(40)
        )
        space.told("fetch", page, "https://docs.example.org/naming")
        space.told("task", f"I looked at {path}.\n\n" + "\n".join(space.files[path].split("\n")[:30]), "Find the names")
    elif number % 4 == 2:
        space.told("image", "", "docs/names.png")
        space.which("def test_|def _")
    space.run(f"ls -la {path.rpartition('/')[0]}", space.listed(path.rpartition("/")[0]))
    lines = space.files[path].split("\n")
    if number % 3 == 1:
        space.told("linted", "\n".join(f"{nth}→{line}" for nth, line in enumerate(lines[10:50], 11)), path)


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n")


def _found(path: str, text: str, pattern: str, beside: int) -> Iterator[tuple[str, int, str, str]]:
    lines = _lines(text)
    hits = {at for at, line in enumerate(lines) if re.search(pattern, line)}
    shown = {near for at in hits for near in range(max(0, at - beside), min(len(lines), at + beside + 1))}
    for at in sorted(shown):
        yield path, at + 1, ":" if at in hits else "-", lines[at]
