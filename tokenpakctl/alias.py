"""`tokenpak`: `serve` and `demo` become tokenpakd, every other verb is tokenpakctl's."""

from __future__ import annotations

import os
import sys

from tokenpakctl import cli

_DAEMON_ROLES = ("serve", "demo")


def main() -> int:
    """Run the command line of this process; for the daemon's roles this process becomes the daemon."""
    arguments = sys.argv[1:]
    if arguments and arguments[0] in _DAEMON_ROLES:
        command = daemon_command(arguments)
        sys.stdout.flush()
        os.execv(command[0], command)  # noqa: S606 - no shell is the point
    return cli.main()


def daemon_command(arguments: list[str]) -> list[str]:
    """Yield the command of tokenpakd under this interpreter.

    -P: a file called trio.py in the folder the user stands in must not become the daemon's trio.
    """
    return [sys.executable, "-P", "-m", "tokenpakd", *arguments]


if __name__ == "__main__":
    sys.exit(main())
