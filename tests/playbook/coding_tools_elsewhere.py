"""What the tools of Codex, Gemini CLI and opencode are called, asked and answered with, step by step."""

import json

from tests.playbook.coding_tools import Act, Json, found, numbered, snippet
from tests.playbook.coding_workspace import ROOT, Step

_TRUNCATED = (
    "\nIMPORTANT: The file content has been truncated.\nStatus: Showing lines {first}-{last} of {all} total lines.\n"
    "Action: To read more of the file, you can use the 'offset' and 'limit' parameters in a subsequent 'read_file'"
    " call.\n\n--- FILE CONTENT (truncated) ---\n"
)


def codex(step: Step, nth: int) -> Act:
    """Return how Codex takes a step: in a shell, or with a patch."""
    if step.kind in ("edit", "write"):
        return _patched(step, nth)
    beside = "-C 2 " if any(row[2] == "-" for row in step.rows) else ""
    commands = {
        "read": _printed(step, nth),
        "search": (f"rg -n {beside}'{step.pattern}' {step.path}", found(step)),
        "which": (f"rg -l '{step.pattern}' {step.path}", step.text),
        "glob": (f"rg --files -g '{step.pattern}'", step.text),
        "run": (step.pattern, step.text),
    }
    if step.kind not in commands:
        return Act(user=step.text or step.pattern)
    command, output = commands[step.kind]
    head = f"Chunk ID: {nth * 7919 % 0xFFFFFF:06x}\nWall time: 0.{nth:04} seconds"
    head += f"\nProcess exited with code {int(step.is_error)}\nOriginal token count: {len(output) // 4}\nOutput:"
    asked = {"cmd": command, "workdir": ROOT, "max_output_tokens": 9000}
    return Act("exec_command", asked, f"{head}\n{output}\n", step.says)


def _patched(step: Step, nth: int) -> Act:
    told = f"Exit code: 0\nWall time: 0.{nth} seconds\nOutput:\nSuccess. Updated the following files:\nM {step.path}\n"
    if step.is_error:
        told = f"apply_patch verification failed: Failed to find expected lines in {ROOT}/{step.path}:\n"
        told += step.changes[0][0]
    lines = [f"*** Update File: {step.path}" if step.changes else f"*** Add File: {step.path}"]
    for old, new in step.changes:
        lines += ["@@", *(f"-{line}" for line in old.split("\n")), *(f"+{line}" for line in new.split("\n"))]
    lines += [] if step.changes else [f"+{line}" for line in step.text.split("\n")]
    return Act("apply_patch", "\n".join(["*** Begin Patch", *lines, "*** End Patch"]), told, step.says)


def _printed(step: Step, nth: int) -> tuple[str, str]:
    first, last = step.offset or 1, step.offset + step.limit - 1 if step.limit else 400
    command, style = f"sed -n '{first},{last}p' {step.path}", "{line}"
    if nth % 2:
        command, style = f"nl -ba {step.path} | sed -n '{first},{last}p'", "{n:6}\t{line}"
    return command, numbered(step.text, step.offset, step.limit, style)


def gemini(step: Step) -> Act:
    """Return how Gemini CLI takes a step."""
    path = f"{ROOT}/{step.path}"
    if step.kind == "read":
        shown = numbered(step.text, step.offset, step.limit, "{line}")
        if step.offset:
            last = step.offset + step.limit - 1
            shown = _TRUNCATED.format(first=step.offset, last=last, all=step.text.count("\n")) + shown
        return Act("read_file", {"absolute_path": path}, shown, step.says)
    if step.kind == "edit":
        told = f"Successfully modified file: {path} (1 replacements). Here is the updated code:\n"
        told += snippet(step, "{line}")
        if step.is_error:
            told = "Failed to edit, could not find the string to replace. 0 occurrences found for old_string."
        old, new = step.changes[0]
        asked = {"instruction": "Change it", "old_string": old, "new_string": new, "file_path": path}
        return Act("replace", asked, told, step.says)
    if step.kind == "write":
        told = f"Successfully created and wrote to new file: {path}."
        return Act("write_file", {"content": step.text, "file_path": path}, told, step.says)
    if step.kind == "search":
        told = f'Found {len(step.rows)} matches for pattern "{step.pattern}" in path "{step.path}":\n---\n'
        told += "\n---\n".join(_by_file(step, "File: {}", "L{}: {}"))
        return Act("search_file_content", {"pattern": step.pattern, "dir_path": step.path}, told, step.says)
    if step.kind in ("which", "glob"):
        told = f'Found {step.text.count(chr(10)) + 1} file(s) matching "{step.pattern}":\n{step.text}'
        return Act("glob", {"pattern": step.pattern}, told, step.says)
    if step.kind == "run":
        told = f"Output: {step.text}\nProcess Group PGID: 4711"
        return Act("run_shell_command", {"description": "Run", "command": step.pattern}, told, step.says)
    return Act(user=step.text or step.pattern)


def opencode(step: Step) -> Act:
    """Return how opencode takes a step."""
    name, asked, told = "", None, ""
    path = f"{ROOT}/{step.path}"
    if step.kind == "read":
        asked = {"filePath": path, **({"offset": step.offset, "limit": step.limit} if step.offset else {})}
        shown = numbered(step.text, step.offset, step.limit, "{n}: {line}")
        end = f"(End of file - total {step.text.count(chr(10))} lines)"
        name, told = "read", f"<path>{path}</path>\n<type>file</type>\n<content>\n{shown}\n\n{end}\n</content>"
    elif step.kind == "edit":
        old, new = step.changes[0]
        name, asked = "edit", {"filePath": path, "oldString": old, "newString": new}
        told = "Error: oldString not found in content" if step.is_error else "Edit applied successfully."
    elif step.kind == "write":
        name, asked, told = "write", {"content": step.text, "filePath": path}, "Wrote file successfully."
    elif step.kind == "search":
        rows = "\n\n".join(_by_file(step, ROOT + "/{}:", "  Line {}: {}"))
        name, asked, told = "grep", {"pattern": step.pattern, "path": path}, f"Found {len(step.rows)} matches\n{rows}"
    elif step.kind in ("which", "glob"):
        told = "\n".join(f"{ROOT}/{one}" for one in step.text.split("\n"))
        name, asked = "glob", {"pattern": step.pattern}
    elif step.kind == "run":
        name, asked, told = "bash", {"command": step.pattern, "description": "Run"}, step.text
    elif step.kind == "todo":
        todos: Json = [{"content": step.text, "status": "in_progress", "priority": "high"}]
        name, asked, told = "todowrite", {"todos": todos}, json.dumps(todos, indent=2)
    return Act(name, asked, told, step.says) if name else Act(user=step.text or step.pattern)


def _by_file(step: Step, heading: str, row: str) -> list[str]:
    paths = dict.fromkeys(path for path, _, _, _ in step.rows)
    return [
        "\n".join([heading.format(path), *(row.format(n, line) for name, n, _, line in step.rows if name == path)])
        for path in paths
    ]
