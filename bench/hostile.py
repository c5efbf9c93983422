"""Blocks made to hurt: what makes a careless pattern look again and again, and plain text that is all candidates."""

import json
from collections.abc import Callable, Iterator

import msgspec

_MB = 1_000_000
_NOUNS = ("archive", "bridge", "canal", "depot", "engine", "ferry", "garden", "harbour", "island", "junction", "kiln")
_VERBS = ("opens", "closes", "carries", "follows", "crosses", "supplies", "shelters", "borders", "measures")
_LOGGERS = ("scheduler", "http.server", "cache", "billing.ledger", "mailer")
_STATES = ("accepted", "started", "finished", "retried", "parked")


class Block(msgspec.Struct, frozen=True):
    """Tool outputs of one request and the call that brought each; `command` with each text's number in it."""

    name: str
    texts: tuple[str, ...]
    tool: str = "Bash"
    command: str = "step {}"


def blocks() -> Iterator[Block]:
    """Yield every block, one request each."""
    yield from _degenerate()
    yield from _dense()


def _degenerate() -> Iterator[Block]:
    noise = [f"{index * 2_654_435_761 % 2**32:08x} {index * 40_503 % 65_536:04x}" for index in range(70_000)]
    ab = ["alpha beta gamma delta", "epsilon zeta eta theta"]
    bits = [ab[index * 2_654_435_761 >> 16 & 1] for index in range(40_000)]
    yield Block("100k identical lines", ("the same line again and again\n" * 100_000,))
    yield Block("10 MB in one line", ("lorem ipsum 4713 " * 600_000,))
    yield Block("10 MB in one word", ("x" * 10_000_000,))
    yield Block("deep arrays", ("[" * 300_000 + "]" * 300_000,))
    yield Block("deep objects", ('{"a":' * 150_000 + "1" + "}" * 150_000,))
    yield Block("1 MB of [", ("[" * _MB,))
    yield Block("1 MB of {", ('{"' * (_MB // 2),))
    yield Block("all lines differ", ("\n".join(noise),))
    yield Block(
        "one digit differs", ("\n".join(f"2026-03-01 INFO request {index} done in 12 ms" for index in range(25_000)),)
    )
    yield Block("two lines at random, twice", ("\n".join(bits), "\n".join(bits[1:] + bits[:1])))
    yield Block("a thousand lines in turn", ("\n".join(noise[index % 1000] for index in range(60_000)),))
    yield Block("the same block ten times", tuple("\n".join(noise[:7000]) + f"\n{index}" for index in range(10)))
    yield Block("blank lines", ("\n" * _MB,))
    yield Block("blanks", (" " * _MB,))
    yield Block("carriage returns", ("50 %\r" * 200_000,))
    yield Block("half escapes", ("\x1b[" * 500_000,))
    yield Block("colours", ("\x1b[31mred\x1b[0m " * 70_000,))
    yield Block("nested paths", ("\n".join("a/" * (index % 300) + f"f{index}.py:1:x" for index in range(4_000)),))
    yield Block("one long path", ("a/" * 500_000,))
    yield Block("small objects", (json.dumps([{"a": index, "b": str(index)} for index in range(40_000)]),))
    yield Block("rows of other shapes", (json.dumps([{f"k{index % 997}": index} for index in range(60_000)]),))
    yield Block("quotes and backslashes", ('\\"' * 300_000,))
    yield Block("our own notation", ('[5 lines begin "src/a.py:"]\n' * 30_000,))


def _dense() -> Iterator[Block]:
    """Yield a megabyte each of what the lossy compressors read closely."""
    yield Block("a dense log", (_megabyte(_logged, "\n"),))
    yield Block("log records of all shapes", (_megabyte(_logged_otherwise, "\n"),))
    yield Block("prose", (_megabyte(_paragraph, "\n\n"),), "WebFetch", "https://example.org/{}")
    yield Block("tiny sentences", ("It is so. We go on. " * (_MB // 20),), "WebFetch", "https://example.org/{}")
    yield Block("Python source", (_megabyte(_function, "\n\n\n"),), "Read", "src/ledger_{}.py")
    yield Block("comments and code in turn", ("import a\n# b\n" * (_MB // 13),), "Read", "src/turns_{}.py")
    yield Block("JavaScript with comments", (_megabyte(_script, "\n"),), "Read", "src/ledger_{}.ts")
    yield Block("minified JavaScript", (_megabyte(_minified, "\n"),))
    yield Block(
        "pytest -v", (_megabyte(_passed, "\n") + "\n==== 9000 passed in 31.20s ====\n",), "Bash", "pytest -v {}"
    )
    yield Block("go test -v", (_megabyte(_passed_in_go, "\n") + "\nPASS\nok  \texample.org/a\t1.2s\n",))
    source = _megabyte(_function, "\n\n\n")
    yield Block("a thousand small outputs", tuple(source[at : at + 1_000] for at in range(0, _MB, 1_000)))


def _megabyte(written: Callable[[int], str], between: str) -> str:
    parts: list[str] = []
    size = 0
    while size < _MB:
        parts.append(written(len(parts)))
        size += len(parts[-1]) + len(between)
    return between.join(parts)[:_MB]


def _logged(at: int) -> str:
    stamp = f"2026-03-01T{at // 3600 % 24:02}:{at // 60 % 60:02}:{at % 60:02}.{at * 37 % 1000:03}Z"
    return f"{stamp} INFO  {_LOGGERS[at % 5]}: job {4000 + at * 7} {_STATES[at * 3 % 5]} in {at * 13 % 97} ms"


def _logged_otherwise(at: int) -> str:
    words = f"{_noun(at)} {_VERBS[at // 7 % 9]} {_noun(at // 5)} {_VERBS[at // 11 % 9]} {_noun(at // 3 + 4)}"
    return f"{at // 3600 % 24:02}:{at // 60 % 60:02}:{at % 60:02} {words} for {at * 2_654_435_761 % 2**32:08x}"


def _sentence(at: int) -> str:
    begin = f"The {_noun(at)} {_VERBS[at % 9]} the old {_noun(at * 7 + at // 11)}"
    return f"{begin} where the {_noun(at * 3 + 1)} {_VERBS[at // 9 % 9]} it in the {_noun(at // 10)}."


def _paragraph(at: int) -> str:
    return " ".join(_sentence(at * 6 + number) for number in range(6))


def _function(at: int) -> str:
    noun, verb = _noun(at), _VERBS[at // 11 % 9]
    return (
        f"def {verb}_{noun}_{at}(entries: list[Entry], limit: int = {at * 13 % 997}) -> int:\n"
        f'    """Return how much the {noun} {verb}."""\n'
        f"    # Entries of the {_noun(at + 3)} were settled when the {noun} was opened, which is\n"
        f"    # why they are neither counted twice nor left to the {_noun(at + 5)}.\n"
        f"    total = 0\n"
        f"    for entry in entries:\n"
        f"        if entry.is_settled and entry.{noun} > limit:\n"
        f"            continue  # settled\n"
        f"        total += self.{verb}_amount(entry, {at * 3})\n"
        f"    return total"
    )


def _script(at: int) -> str:
    noun, verb = _noun(at), _VERBS[at // 11 % 9]
    return (
        f"/* What the {noun} {verb} is read\n   from the ledger. */\n"
        f"export function {verb}{noun.title()}{at}(entries) {{\n"
        f"  // Entries of the {_noun(at + 3)} come first.\n"
        f"  const total = entries.map((entry) => `${{entry.{noun}}} of ${{limit}}`);\n"
        f"  return total.length;\n}}\n"
    )


def _minified(at: int) -> str:
    calls = (f"function f{at}x{n}(a,b){{return a.{_noun(at + n)}?b[{n}]:this.{_VERBS[n % 9]}(a)}}" for n in range(40))
    return "".join(calls)


def _passed(at: int) -> str:
    return f"tests/ledger/test_{_noun(at // 40)}.py::test_{_VERBS[at % 9]}_{_noun(at)}[{at}] PASSED   [{at % 100:3}%]"


def _passed_in_go(at: int) -> str:
    name = f"Test{_noun(at).title()}{at}"
    return f"=== RUN   {name}\n--- PASS: {name} (0.0{at % 9}s)"


def _noun(at: int) -> str:
    return _NOUNS[at % 11]
