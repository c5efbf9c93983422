r"""What Claude Code's tools are called, asked and answered with for each step of a programmer.

Lines as `     1→text` with snippets after edits and a reminder after reads (older versions), or as `1\ttext` (newer
ones). Texts are as the client writes them.
"""

from typing import Any, NamedTuple

from tests.playbook.coding_workspace import ROOT, Step

Json = Any

UNUSED = (
    "<system-reminder>\nThe TodoWrite tool hasn't been used recently. If you're working on tasks that would benefit"
    " from tracking progress, consider using the TodoWrite tool to track progress. Also consider cleaning up the todo"
    " list if has become stale and no longer matches what you are working on. Only use it if it's relevant to the"
    " current work. This is just a gentle reminder - ignore if not applicable. Make sure that you NEVER mention this"
    " reminder to the user\n</system-reminder>"
)
_MALWARE = (
    "\n\n<system-reminder>\nWhenever you read a file, you should consider whether it would be considered malware. You"
    " CAN and SHOULD provide analysis of malware, what it is doing. But you MUST refuse to improve or augment the code."
    " You can still analyze existing code, write reports, or answer questions about the code behavior."
    "\n</system-reminder>\n"
)
_TODO = (
    "Todos have been modified successfully. Ensure that you continue to use the todo list to track your progress."
    " Please proceed with the current tasks if applicable"
)
_LINTED = (
    "<system-reminder>\nNote: {path} was modified, either by the user or by a linter. This change was intentional, so"
    " make sure to take it into account as you proceed (ie. don't revert it unless the user asks you to). Don't tell"
    " the user this, since they are already aware. Here are the relevant changes (shown with line numbers):\n{lines}\n"
    "</system-reminder>"
)
_SNIPPET = ". Here's the result of running `cat -n` on a snippet of the edited file:\n"
_CURRENT = " successfully. (file state is current in your context — no need to Read it back)"
_PICTURE = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgoAAAANSUhEUg=="}


class Act(NamedTuple):
    """One answer of the model and what came back; without a name only `user` counts, what the user says."""

    name: str = ""
    arguments: Json = None
    result: Json = ""
    says: str = ""
    is_error: bool = False
    beside: str = ""
    user: str = ""


def claude(step: Step, mark: str, *, has_snippets: bool) -> Act:
    """Return how Claude Code takes a step; `mark` stands behind a line's number."""
    style = ("{n:>6}→" if mark == "→" else "{n}\t") + "{line}"
    if step.kind in ("read", "image"):
        name, asked, told = "Read", _reading(step), numbered(step.text, step.offset, step.limit, style)
        result: Json = told + _MALWARE if has_snippets else told
        if step.kind == "image":
            result = [{"type": "image", "source": _PICTURE}]
    elif step.kind in ("edit", "write"):
        name, asked, result = _changed(step, style, has_snippets=has_snippets)
    elif step.kind in ("search", "which", "glob"):
        name, asked, result = _searched(step)
    elif step.kind == "run":
        name, asked = "Bash", {"command": step.pattern, "description": "Run it"}
        result = f"Exit code 1\n{step.text}" if step.is_error else step.text
    elif step.kind in ("todo", "fetch", "task"):
        name, asked, result = _beside(step)
    else:
        path = f"{ROOT}/{step.pattern}"
        return Act(user=_LINTED.format(path=path, lines=step.text) if step.kind == "linted" else step.text)
    return Act(name, asked, result, step.says, step.is_error)


def numbered(text: str, offset: int, limit: int, style: str) -> str:
    """Return lines with their numbers; `style` is a format of `n` and `line`."""
    lines = text.removesuffix("\n").split("\n")
    first = max(offset, 1)
    shown = lines[first - 1 : first - 1 + limit if limit else None]
    return "\n".join(style.format(n=n, line=line) for n, line in enumerate(shown, first))


def snippet(step: Step, style: str) -> str:
    """Return the lines around the first change, as they are shown after an edit."""
    new = step.changes[0][1]
    at = step.text[: step.text.find(new)].count("\n") + 1
    return numbered(step.text, at - 4, new.count("\n") + 9, style)


def found(step: Step, prefix: str = "") -> str:
    """Return what ripgrep prints of a search; groups are parted where it shows what stands beside its hits."""
    lines: list[str] = []
    has_beside = any(row[2] == "-" for row in step.rows)
    for nth, (path, number, mark, line) in enumerate(step.rows):
        before = step.rows[nth - 1] if nth else None
        if has_beside and before is not None and (before[0] != path or before[1] != number - 1):
            lines.append("--")
        lines.append(f"{prefix}{path}{mark}{number}{mark}{line}")
    return "\n".join(lines)


def _reading(step: Step) -> Json:
    asked: dict[str, object] = {"file_path": f"{ROOT}/{step.path or step.pattern}"}
    return {**asked, "offset": step.offset, "limit": step.limit} if step.offset else asked


def _changed(step: Step, style: str, *, has_snippets: bool) -> tuple[str, Json, str]:
    path = f"{ROOT}/{step.path}"
    if step.kind == "write":
        told = f"File created successfully at: {path}"
        if "anew" in step.says:
            told = f"The file {path} has been updated{_SNIPPET}{numbered(step.text, 1, 0, style)}"
        return "Write", {"file_path": path, "content": step.text}, told
    edits = [{"old_string": old, "new_string": new} for old, new in step.changes]
    told = f"The file {path} has been updated{_SNIPPET + snippet(step, style) if has_snippets else _CURRENT}"
    if step.is_error:
        told = f"<tool_use_error>{step.text}</tool_use_error>"
    if len(edits) > 1:
        return "MultiEdit", {"file_path": path, "edits": edits}, told
    return "Edit", {"file_path": path, **edits[0]}, told


def _searched(step: Step) -> tuple[str, Json, str]:
    if step.kind == "search":
        asked: dict[str, object] = {"pattern": step.pattern, "path": f"{ROOT}/{step.path}", "output_mode": "content"}
        if any(row[2] == "-" for row in step.rows):
            asked["-C"] = 2
        return "Grep", {**asked, "-n": True}, found(step, prefix=f"{ROOT}/") or "No matches found"
    paths = "\n".join(f"{ROOT}/{one}" for one in step.text.split("\n"))
    if step.kind == "glob":
        return "Glob", {"pattern": step.pattern}, paths
    asked = {"pattern": step.pattern, "output_mode": "files_with_matches"}
    return "Grep", asked, f"Found {paths.count(chr(10)) + 1} files\n{paths}"


def _beside(step: Step) -> tuple[str, Json, Json]:
    if step.kind == "todo":
        todo = {"content": step.text, "status": "in_progress", "activeForm": f"Doing {step.text}"}
        return "TodoWrite", {"todos": [todo]}, _TODO
    if step.kind == "fetch":
        return "WebFetch", {"url": step.pattern, "prompt": "What does it say?"}, step.text
    texts = (step.text, "agentId: a1b2c3d (for resuming)\n<usage>total_tokens: 9</usage>")
    asked = {"description": step.pattern, "prompt": f"{step.pattern}. " * 9, "subagent_type": "Explore"}
    return "Task", asked, [{"type": "text", "text": text} for text in texts]
