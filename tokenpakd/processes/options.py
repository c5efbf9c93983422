"""The command line of `tokenpakd serve`."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import msgspec

from tokenpakd import __version__

EXIT_USAGE = 64


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for. `flags` are the given ones, named by their configuration keys."""

    config: Path | None
    check_config: bool
    flags: dict[str, object]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage()
        self.exit(EXIT_USAGE, f"{self.prog}: {message}\n")


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line; leaves with 64 when it makes no sense."""
    parser = _Parser(prog="tokenpakd", description="A local sidecar for LLM traffic.", allow_abbrev=False)
    parser.add_argument("--port", help="HTTP port (8766); 0 takes a free one")
    parser.add_argument("--ws-port", help="WebSocket port (HTTP port + 1)")
    parser.add_argument("--mode", help="strict, hybrid or aggressive")
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration file")
    parser.add_argument("--foreground", action="store_true", help="stay in the foreground; it always does")
    parser.add_argument("--check-config", action="store_true", help="say whether the configuration is good, and leave")
    parser.add_argument("--version", action="version", version=f"tokenpakd {__version__}")
    found = parser.parse_args(arguments)
    flags: dict[str, object] = {"listen.port": found.port, "listen.ws_port": found.ws_port, "mode": found.mode}
    return Options(config=found.config, check_config=found.check_config, flags=flags)
