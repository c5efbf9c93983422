"""Files stay short enough to be read, and have names that say what they hold."""

import ast
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_SOURCES = sorted(file for package in ("tokenpakd", "tokenpakctl") for file in (_ROOT / package).rglob("*.py"))
_FILE_LINES = 300
_FUNCTION_LINES = 60
_EMPTY_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "base", "core", "common", "misc", "shared"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _name(file: Path) -> str:
    return str(file.relative_to(_ROOT))


@pytest.mark.parametrize("file", _SOURCES, ids=_name)
def test_file_is_short(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= _FILE_LINES


@pytest.mark.parametrize("file", _SOURCES, ids=_name)
def test_functions_are_short(file: Path) -> None:
    functions = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, Function)]
    long = {
        node.name: lines for node in functions if (lines := (node.end_lineno or 0) - node.lineno + 1) > _FUNCTION_LINES
    }
    assert not long


def test_no_name_is_empty_of_meaning() -> None:
    names = {file: {*file.relative_to(_ROOT).parent.parts, file.stem} & _EMPTY_NAMES for file in _SOURCES}
    assert not {_name(file): found for file, found in names.items() if found}


def test_there_are_sources_to_look_at() -> None:
    assert len(_SOURCES) > 50
