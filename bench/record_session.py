"""Record the bundled coding-agent session: really run an agent's commands on a clone of this repository.

usage: python bench/record_session.py [-o tokenpakd/demo/session.json]

The commands and the words between them are written down in `session_script.py`; every tool result is what the command
printed, unshortened, exit code and all. They run in a clone of HEAD in a temporary folder, so that edits are real and
touch nothing. Afterwards only paths of this machine are rewritten: the clone's to `.`, the Python's to `.venv`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from session_script import ABOUT, SYSTEM, TOOLS, Ask, Step, steps

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT_S = 300


def run_tool(step: Step, clone: Path) -> tuple[str, bool]:
    """Do what the step asks for; yield what the agent reads and whether it is an error."""
    if step.tool == "Read":
        lines = (clone / str(step.arguments["file_path"])).read_text().splitlines()
        return "\n".join(f"{number:6d}\t{line}" for number, line in enumerate(lines, 1)), False
    if step.tool == "Edit":
        return edit(step.arguments, clone)
    environ = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(clone),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NO_COLOR": "1",
        "GIT_PAGER": "cat",
        "COLUMNS": "120",
    }
    environ.pop("FORCE_COLOR", None)
    done = subprocess.run(
        ["bash", "-c", str(step.arguments["command"])],
        cwd=clone, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    text = done.stdout.rstrip("\n")
    if done.returncode:
        return f"Exit code {done.returncode}\n{text}".rstrip(), True
    return text or "(no output)", False


def edit(arguments: dict[str, Any], clone: Path) -> tuple[str, bool]:
    """Replace the one occurrence of a string in a file."""
    path = clone / arguments["file_path"]
    text = path.read_text()
    if text.count(arguments["old_string"]) != 1:
        raise SystemExit(f"{arguments['file_path']}: old_string occurs {text.count(arguments['old_string'])} times")
    path.write_text(text.replace(arguments["old_string"], arguments["new_string"]))
    return f"The file {arguments['file_path']} has been updated.", False


def record(clone: Path) -> list[dict[str, Any]]:
    """Run every step in order; yield the conversation as Anthropic messages."""
    messages: list[dict[str, Any]] = []
    pending: list[dict[str, Any]] = []
    number = 0
    for step in steps():
        if isinstance(step, Ask):
            pending.append({"type": "text", "text": step.text})
            continue
        messages.append({"role": "user", "content": pending})
        content: list[dict[str, Any]] = [{"type": "text", "text": step.says}] if step.says else []
        pending = []
        if step.tool:
            number += 1
            call_id = f"toolu_demo{number:04d}"
            content.append({"type": "tool_use", "id": call_id, "name": step.tool, "input": step.arguments})
            text, is_error = run_tool(step, clone)
            result = {"type": "tool_result", "tool_use_id": call_id, "content": scrub(text, clone)}
            pending = [result | ({"is_error": True} if is_error else {})]
        messages.append({"role": "assistant", "content": content})
    return messages


def scrub(text: str, clone: Path) -> str:
    """Take this machine's paths out of a text."""
    for prefix, shown in ((f"{clone}/", "./"), (str(clone), "."), (sys.prefix, ".venv"), (sys.base_prefix, "python")):
        text = text.replace(prefix, shown)
    return text


def main() -> None:
    """Record and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "tokenpakd" / "demo" / "session.json")
    output: Path = parser.parse_args().output
    with tempfile.TemporaryDirectory(prefix="tokenpak-record-") as folder:
        clone = Path(folder).resolve() / "tokenpak"
        subprocess.run(["git", "clone", "-q", "--no-hardlinks", str(ROOT), str(clone)], check=True)
        for key, value in (("user.name", "Demo"), ("user.email", "demo@localhost"), ("core.abbrev", "7")):
            subprocess.run(["git", "-C", str(clone), "config", key, value], check=True)
        subprocess.run(["git", "-C", str(clone), "remote", "remove", "origin"], check=True)
        messages = record(clone)
    session = {"about": ABOUT, "model": "demo-large", "max_tokens": 32_000, "system": SYSTEM, "tools": TOOLS}
    text = json.dumps(session | {"messages": messages}, ensure_ascii=False, indent=1)
    output.write_text(text + "\n", encoding="utf-8")
    results = [block["content"] for message in messages for block in message["content"] if "tool_use_id" in block]
    longer = [text for text in results if len(text) >= 400]
    repeats = len(longer) - len(set(longer))
    print(f"{len(messages) // 2} requests, {len(results)} tool results, {sum(map(len, results)):,} characters,")
    print(f"{repeats} of {len(longer)} results of 400 characters or more repeat an earlier one exactly")


if __name__ == "__main__":
    main()
