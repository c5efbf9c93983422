"""Counters of tokens, for figures: what is shown, simulated and calibrated. Never for a decision.

What is removed from a request is decided by `estimate` alone, which is the same on every machine. A tokenizer that is
installed here and missing there, or newer after an upgrade, would move thresholds, and with them the bytes that are
sent: the provider's cache would be lost for a better guess.

The counters beside the estimate come with the extra `tokens`: bpe-openai. Measured against tiktoken 0.14 with a
vocabulary shipped by us, o200k: 60 ms against 280 to load, +71 MB against +88, 26 MB/s against 14, no network code, and
linear on every input tried (1 M equal letters 9 ms against 413; 1 M blanks 6 ms, where tiktoken overflowed its stack
and panicked). Its price is the disk: 42 MB to fetch, 75 MB installed. Only its extension module is loaded: the package
around it reads every vocabulary once more in Python, 0.5 s and 70 MB for nothing.
"""

import hashlib
import importlib.machinery
import importlib.util
import re
from typing import Final, Protocol, cast

from tokenpakd.tokens.estimate import estimate

EXTRA_MODULE: Final = "bpe_openai"
"""What the extra `tokens` installs; also probed by `tokenpakctl doctor`."""
HINT: Final = "pip install 'tokenpak[tokens]'"

_ENCODINGS: Final = {"o200k": "o200k_base", "cl100k": "cl100k_base"}

# The extension holds the interpreter while it counts: 30 ms per MB. A piece of this size holds it for about 2 ms.
_PIECE_CHARS: Final = 65_536
_SEEK_CHARS: Final = 4096
# Both vocabularies begin a token at a blank between letters, and at a letter that begins a line: a cut there is exact.
_SAFE_CUT: Final = re.compile(r"[A-Za-z] [A-Za-z]|\n[A-Za-z]")

# Hashing 2 KB takes 4 µs, counting them 60; of a shorter text there is nothing to win.
_REMEMBERED_FROM_CHARS: Final = 256
_MOST_REMEMBERED: Final = 8192


class CounterMissing(Exception):
    """No such counter here; the message says what to install."""


class Counter(Protocol):
    """Counts tokens. `name` belongs beside every figure made with it."""

    @property
    def name(self) -> str: ...

    def load(self) -> None:
        """Do what the first count would otherwise wait for."""

    def count(self, text: str) -> int:
        """Yield the tokens of a text, special ones read as plain text; 0 for none. Safe in any thread."""


class Encoding(Protocol):
    """One vocabulary of the extension module."""

    def count(self, text: str, /) -> int: ...


def counter(name: str) -> Counter:
    """Yield a counter by name: "estimate-1" always; "o200k" and "cl100k" with the extra `tokens`. Loads nothing yet.

    Raises:
      CounterMissing: unknown, or the extra is not installed.
    """
    if name == "estimate-1":
        return _Estimate()
    if name not in _ENCODINGS:
        raise CounterMissing(f'no counter is called "{name}"; there are {", ".join(("estimate-1", *_ENCODINGS))}')
    if not is_installed():
        raise CounterMissing(f"{name} is not installed. Run `{HINT}`.")
    return Vocabulary(name)


def is_installed() -> bool:
    """Whether the extra `tokens` is there; imports nothing."""
    return importlib.util.find_spec(EXTRA_MODULE) is not None


class _Estimate:
    """`tokens.estimate` under the name that its figures carry for ever: another estimate is another name."""

    name = "estimate-1"

    def load(self) -> None:
        """Nothing to do."""

    def count(self, text: str) -> int:
        return estimate(text)


class Vocabulary:
    """A counter with the vocabulary of a model; remembers what it counted, by hash, so that old text costs little."""

    def __init__(self, name: str, encoding: Encoding | None = None) -> None:
        self.name = name
        self._encoding = encoding
        self._remembered: dict[bytes, int] = {}

    def load(self) -> None:
        """Load the extension and the vocabulary: 60 ms and 71 MB, the interpreter held all the while.

        The event loop stands still for it wherever it is called: from a thread, and before the first client is served
        or never. Once per process and vocabulary; again costs nothing.

        Raises:
          CounterMissing: what is installed cannot be loaded.
        """
        if self._encoding is None:
            self._encoding = _loaded(_ENCODINGS[self.name])

    def count(self, text: str) -> int:
        """Yield the tokens of a text; loads the vocabulary if nobody did, 40 ms per MB of new text after that.

        Raises:
          CounterMissing: only where `load` would.
        """
        if len(text) < _REMEMBERED_FROM_CHARS:
            return self._counted(text)
        key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        known = self._remembered.get(key)
        if known is None:
            known = sum(map(self._counted, _pieces(text)))
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()  # one step, so that no thread sees half of it; what is in use is soon back
            self._remembered[key] = known
        return known

    def _counted(self, piece: str) -> int:
        if self._encoding is None:
            self.load()
        encoding = cast("Encoding", self._encoding)
        try:
            return encoding.count(piece)
        except UnicodeEncodeError:
            # Half a surrogate pair is no text. A whole one, spelled as two, is joined.
            return encoding.count(piece.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
        except BaseException as exc:
            # A panic of the extension is not an Exception and would end the process, for a figure.
            if type(exc).__name__ != "PanicException":
                raise
            return estimate(piece)


def _pieces(text: str) -> list[str]:
    """Cut a long text where a token begins; without such a place a cut may cost a token or two."""
    pieces, start = [], 0
    while len(text) - start > _PIECE_CHARS:
        earliest = start + _PIECE_CHARS - _SEEK_CHARS
        found = _SAFE_CUT.search(text, earliest, start + _PIECE_CHARS)
        cut = found.start() + 1 if found else start + _PIECE_CHARS
        pieces.append(text[start:cut])
        start = cut
    pieces.append(text[start:])
    return pieces


def _loaded(encoding: str) -> Encoding:
    name = f"{EXTRA_MODULE}._bindings"
    try:
        package = importlib.util.find_spec(EXTRA_MODULE)
        folders = package.submodule_search_locations if package else None
        spec = importlib.machinery.PathFinder.find_spec(name, folders) if folders else None
        if spec is None or spec.loader is None:
            raise CounterMissing(f"{EXTRA_MODULE} has no {name}. Run `{HINT}`.")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        loaded: Encoding = module.tokenizer_for_encoding(encoding)
        loaded.count("warm")
    except CounterMissing:
        raise
    except Exception as exc:  # whatever a broken or other version raises, the answer is the same: not here
        raise CounterMissing(f"{EXTRA_MODULE} cannot be loaded ({type(exc).__name__}). Run `{HINT}`.") from exc
    return loaded
