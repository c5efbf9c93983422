"""Tests that passed, told by their number where the run sums itself up.

Rules this file owns:
- Only a line that says "this test passed" and nothing else goes. Failures, errors, skips, warnings, what a test printed
  and the summary stay verbatim.
- Without a summary line of the same runner every line stays: the names would be the only record of the run.
"""

import re
from collections.abc import Callable, Sequence

import msgspec

from tokenpakd.compression.segments import Segment
from tokenpakd.tokens.estimate import estimate

_READ = frozenset((Segment.TEST, Segment.LOG, Segment.UNKNOWN))
_LEAST_CHARS = 400
_LEAST_GAIN_TOKENS = 5
_LEAST_GAIN_SHARE = 0.05
_LEAST_MARK_GAIN_TOKENS = 8


class _Runner(msgspec.Struct, frozen=True):
    passed: Callable[[str], object]
    """Tells the whole line of a passed test."""
    summary: re.Pattern[str]
    """Begins with the end of the line before: text is passed over at the speed of a search for one character."""
    signs: tuple[str, ...]
    """One of them stands in every passed line: a text without costs a search."""


_PYTEST_PLACE = re.compile(r"(?: +\[ {0,2}\d{1,3}%\]| +\[\d+/\d+\])? *")
_PYTEST_XDIST = re.compile(r"\[gw\d+\] (?:\[ {0,2}\d{1,3}%\] )?PASSED \S+ *")


def _is_passed_in_pytest(line: str) -> bool:
    name, sign, rest = line.rpartition(" PASSED")
    if sign and "::" in name.partition(" ")[0] and _PYTEST_PLACE.fullmatch(rest):
        return True
    return _PYTEST_XDIST.fullmatch(line) is not None


_TIMING = r"(?: \(?[\d.]+ ?m?s\)?)?"
_RUNNERS = (
    _Runner(  # pytest -v, also with xdist
        _is_passed_in_pytest,
        re.compile(r"\n(?:=++ )?(?:\d+ [a-z]+, )*\d+ passed\b[^\n]* in [\d.]+ ?s"),
        ("PASSED",),
    ),
    _Runner(  # unittest -v
        re.compile(r"\w+ \([\w.]+\)(?: \[[^\n]*\])? \.\.\. ok").fullmatch,
        re.compile(r"\nRan \d+ tests? in [\d.]+s"),
        ("... ok",),
    ),
    _Runner(  # cargo test
        re.compile(r"test [^\n]{1,400}? \.\.\. ok(?: <[\d.]+s>)?").fullmatch,
        re.compile(r"\ntest result: (?:ok|FAILED)\. \d+ passed"),
        ("... ok",),
    ),
    _Runner(  # jest, vitest, mocha
        re.compile(rf" *[✓√✔] [^\n]{{1,400}}?{_TIMING}").fullmatch,
        re.compile(r"\n *+(?:Tests:? +[^\n]*\d passed|\d+ passing\b|ℹ pass \d+)"),
        ("✓", "√", "✔"),
    ),
    _Runner(  # TAP
        re.compile(r" *ok \d+(?: -)? [^\n#]{1,400}").fullmatch,
        re.compile(r"\n# (?:pass|tests) +\d+"),
        ("ok ",),
    ),
)
_GO_VERDICT = re.compile(r" *--- (PASS|FAIL|SKIP): (\S+) \([\d.]+s\)")
_GO_EVENT = re.compile(r" *=== (?:RUN|PAUSE|CONT|NAME) +(\S+)")
_GO_SUMMARY = re.compile(r"\n(?:(?:ok|FAIL) *\t\S+\t[\d.]+s|(?:PASS|FAIL)(?:\n|\Z))")


def shorten(text: str, segment: Segment) -> str | None:
    """Return the text without the lines of passed tests; None when that is no clear gain or nothing sums them up."""
    if segment not in _READ or len(text) < _LEAST_CHARS:
        return None
    shortened = _without_passed(text)
    if shortened is None:
        return None
    before, after = estimate(text), estimate(shortened)
    return shortened if before - after >= max(_LEAST_GAIN_TOKENS, _LEAST_GAIN_SHARE * before) else None


def _without_passed(text: str) -> str | None:
    for runner in _RUNNERS:
        if any(map(text.__contains__, runner.signs)) and runner.summary.search(f"\n{text}"):
            lines = text.split("\n")
            passed = [bool(runner.passed(line)) for line in lines]
            if any(passed):
                return _written(lines, [int(is_passed) for is_passed in passed], passed)
    if "--- PASS: " in text and _GO_SUMMARY.search(f"\n{text}"):
        lines = text.split("\n")
        counts, goes = _go(lines)
        return _written(lines, counts, goes)
    return None


def _go(lines: Sequence[str]) -> tuple[list[int], list[bool]]:
    """Return how many passed tests each line stands for and whether it goes; events of other tests stay."""
    verdicts = [_GO_VERDICT.fullmatch(line) if "--- " in line else None for line in lines]
    named = {True: set[str](), False: set[str]()}
    for verdict in verdicts:
        if verdict is not None:
            named[verdict[1] == "PASS"].add(verdict[2])
    passed = named[True] - named[False]
    counts: list[int] = []
    goes: list[bool] = []
    for line, verdict in zip(lines, verdicts, strict=True):
        event = _GO_EVENT.fullmatch(line) if verdict is None and "=== " in line else None
        is_verdict = verdict is not None and verdict[1] == "PASS" and verdict[2] in passed
        counts.append(int(is_verdict))
        goes.append(is_verdict or (event is not None and event[1] in passed))
    return counts, goes


def _written(lines: Sequence[str], counts: Sequence[int], goes: Sequence[bool]) -> str | None:
    out: list[str] = []
    stretch: list[str] = []
    tests = 0
    gained = False
    for line, count, is_going in zip((*lines, ""), (*counts, 0), (*goes, False), strict=True):
        if is_going:
            stretch.append(line)
            tests += count
            continue
        if stretch:
            mark = f"[{tests} passed test{'s' * (tests != 1)} not shown]"
            is_worth = tests > 0 and estimate("\n".join(stretch)) >= estimate(mark) + _LEAST_MARK_GAIN_TOKENS
            out += [mark] if is_worth else stretch
            gained = gained or is_worth
            stretch, tests = [], 0
        out.append(line)
    return "\n".join(out[:-1]) if gained else None
