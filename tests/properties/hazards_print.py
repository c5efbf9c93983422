"""Prints a digest of what is sent for a few conversations: run with other hash seeds, locales, packages."""

import hashlib
import importlib.abc
import sys

from tests.properties.conversations import SHAPES, Turn, sent, settings, written
from tokenpakd.tip.modes import Mode

NUMBERED = "\n".join(f"{n:6}\t    def method_{n}(self, wert_é_{n % 9}):  # {n * n}" for n in range(80))
FILE = "\n".join(f"    def method_{n}(self, wert_é_{n % 9}):  # {n * n}" for n in range(80))
TURNS = [
    Turn("bash", {"command": "cat src/app/fields.py"}, FILE),
    Turn("bash", {"command": "cat -n src/app/fields.py"}, NUMBERED),
    Turn("bash", {"command": "pytest -q"}, "\x1b[32mok\x1b[0m\n" * 40 + FILE[:900]),
    Turn("read", {"file_path": "src/app/fields.py"}, FILE, user=FILE),
    Turn("read", {"id": 7}, '[{"id": 1, "name": "Ann", "zip": "01234"}, {"id": 2, "name": "Bob", "zip": "01235"}]'),
    Turn("bash", {"command": "make"}, "".join(f"2026-01-01 10:00:{n % 60:02} INFO {n} done\n" for n in range(200))),
]  # fmt: skip


class _Blocked(importlib.abc.MetaPathFinder):
    """Makes a tokenizer's package impossible to import."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname.partition(".")[0] in ("bpe_openai", "tiktoken", "tokenizers"):
            raise ModuleNotFoundError(fullname)


class _Wrong:
    """Stands in for a tokenizer that counts everything as one."""

    def __getattr__(self, name: str) -> object:
        return lambda *_: [0]


def main(tokenizer: str) -> None:
    if tokenizer == "blocked":
        sys.meta_path.insert(0, _Blocked())
    elif tokenizer == "strange":
        for name in ("bpe_openai", "tiktoken", "tokenizers"):
            sys.modules[name] = _Wrong()  # type: ignore[assignment]
    digest = hashlib.sha256()
    for mode in (Mode.HYBRID, Mode.AGGRESSIVE):
        for name, shape in SHAPES.items():
            digest.update(sent(name, written(shape(TURNS)), how=settings(mode)))
    sys.stdout.write(digest.hexdigest())


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
