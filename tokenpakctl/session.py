"""What a command works with: the environment, the daemon, and where its answer goes."""

from __future__ import annotations

import codecs
import io
import json
import sys

import tokenpakd
from tokenpakctl.client import CallFailed, Connection, NoDaemon
from tokenpakd.paths import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TextIO

    from tokenpakd.paths import Paths

OK, FAILED, USAGE, UNAVAILABLE = 0, 1, 2, 69
_ASCII = {"−": "-", "±": "+-", "✓": "ok", "✗": "FAIL", "→": "->", "·": "-", "–": "-", "…": "..."}


class Failed(Exception):
    """A command cannot do what was asked. `hint` is the next command."""

    def __init__(self, message: str, hint: str = "", *, code: str = "failed", exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code
        self.exit_code = exit_code


class Unwritable(Exception):
    """Standard output takes nothing more, and its reader did not simply leave."""


def spell_out(stream: TextIO | None) -> None:
    """Let a stream that is not UTF-8 take our signs, spelt in ASCII."""
    if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() not in ("utf-8", "utf8"):
        codecs.register_error("tokenpakctl", _spelt)
        stream.reconfigure(errors="tokenpakctl")


def _spelt(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(_ASCII.get(sign, "?") for sign in error.object[error.start : error.end]), error.end


class Session:
    """One run of one command."""

    def __init__(
        self, environ: Mapping[str, str], *, as_json: bool, out: TextIO | None = None, err: TextIO | None = None
    ) -> None:
        self.environ = environ
        self.as_json = as_json
        self.out = out or sys.stdout
        self.err = err or sys.stderr
        self._paths: Paths | None = None
        self._skew_named = False

    @property
    def paths(self) -> Paths:
        if self._paths is None:
            self._paths = resolve(self.environ)
        return self._paths

    @property
    def colour(self) -> bool:
        if self.environ.get("NO_COLOR") or self.as_json:
            return False
        if self.environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
            return True
        return self.out.isatty() and self.environ.get("TERM") != "dumb"

    def call(self, verb: str, timeout_s: float = 10.0, **params: object) -> dict[str, object]:
        """Ask the daemon once.

        Raises:
          NoDaemon, CallFailed.
        """
        connection = Connection(self.paths, timeout_s=timeout_s)
        result = connection.call(verb, params)
        self._name_skew(connection)
        return result

    def watch(self, verb: str, **params: object) -> Iterator[dict[str, object]]:
        """Yield what the daemon sends until it leaves."""
        connection = Connection(self.paths, timeout_s=10.0)
        for event in connection.watch(verb, params):
            self._name_skew(connection)
            yield event

    def ask(self, verb: str, timeout_s: float = 2.0) -> dict[str, object] | None:
        """Ask a daemon that need not be there; None when it is not or will not say."""
        try:
            return self.call(verb, timeout_s)
        except (NoDaemon, CallFailed):
            return None

    def emit(self, result: Mapping[str, object], human: str) -> None:
        """Print the answer: one JSON object, or text for people."""
        self.line(json.dumps(result, separators=(",", ":")) if self.as_json else human)

    def line(self, text: str) -> None:
        """Print a line at once: a reader of a stream must not wait for a buffer."""
        try:
            print(text, file=self.out, flush=True)
        except BrokenPipeError:
            raise
        except OSError as exc:
            raise Unwritable(exc.strerror) from exc

    def say(self, text: str) -> None:
        """Tell a person something that is not the answer."""
        print(text, file=self.err, flush=True)

    def complain(self, code: int | str, message: str, hint: str) -> None:
        """Print why nothing came of it: `{"error": {code, message, hint}}`, or two lines for people."""
        from tokenpakctl.render import plain, plain_lines

        if self.as_json:
            self.line(json.dumps({"error": {"code": code, "message": message, "hint": hint}}, separators=(",", ":")))
            return
        ending = f"\n  {plain(hint)}" if hint else ""
        self.say(f"tokenpakctl: {plain_lines(message)}{ending}")

    def _name_skew(self, connection: Connection) -> None:
        version = connection.daemon_version
        if version is None or version == tokenpakd.__version__ or self._skew_named:
            return
        self._skew_named = True
        self.say(
            f"tokenpakctl {tokenpakd.__version__} talks to tokenpakd {version}: "
            "run `tokenpakctl stop` and start the daemon again to run the installed version."
        )
