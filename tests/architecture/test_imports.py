"""Importing any module opens no connection and starts no process."""

import json
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]
# An audit hook cannot be taken off again, so it lives in a child interpreter. Names of modules come from the files:
# what a package imports on its own would hide behind another one's import.
_CHILD = """
import importlib, json, sys
seen = []
forbidden = (
    "socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostby", "subprocess.Popen",
    "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "pty.spawn", "urllib.Request",
)
def hook(event, details):
    if event.startswith(forbidden):
        seen.append([event, str(details)[:200]])
sys.addaudithook(hook)
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(seen))
"""


def _modules(package: str) -> list[str]:
    files = sorted((_ROOT / package).rglob("*.py"))
    names = [".".join(file.relative_to(_ROOT).with_suffix("").parts) for file in files]
    return [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]


def _run(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, cwd=_ROOT, timeout=60
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_importing_the_packages_touches_no_network_and_starts_nothing() -> None:
    assert json.loads(_run(_CHILD, "tokenpakd", "tokenpakctl")) == []


def test_importing_every_module_touches_no_network_and_starts_nothing() -> None:
    # trio asks ldconfig for the thread library while it is imported; what follows is ours.
    child = "import trio\n" + _CHILD
    assert json.loads(_run(child, *_modules("tokenpakd"), *_modules("tokenpakctl"))) == []


def test_the_hook_would_see_a_connection() -> None:
    seen = json.loads(
        _run(_CHILD.replace("print(", "import socket; socket.socket().bind(('127.0.0.1', 0)); print("), "json")
    )
    assert [event for event, _ in seen] == ["socket.bind"]


def test_tokenpakctl_loads_no_server_library() -> None:
    heavy = ("trio", "httpx", "hypercorn", "apsw", "yaml", "rich", "anyio")
    code = "import sys, tokenpakctl.cli; print(*sys.modules)"
    loaded = {name.split(".")[0] for name in _run(code).split()}
    assert not loaded & set(heavy)
