"""Tests lie where their source lies: tokenpakd/a/b.py is tested by tests/tokenpakd/a/test_b.py."""

import ast
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_PACKAGES = ("tokenpakd", "tokenpakctl")

_TESTED_ELSEWHERE: dict[str, str] = {}
"""Modules whose logic is tested under another name, with the reason."""


def _has_logic(file: Path) -> bool:
    """True where the module does something: a function with more than a docstring or `...` in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = [one for one in node.body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
            if body:
                return True
    return False


def _test_of(file: Path) -> Path:
    relative = file.relative_to(_ROOT)
    stem = relative.stem.strip("_") if relative.stem != "__init__" else "init"
    return _ROOT / "tests" / relative.parent / f"test_{stem}.py"


def _sources() -> list[Path]:
    return sorted(file for package in _PACKAGES for file in (_ROOT / package).rglob("*.py"))


def test_every_module_with_logic_has_its_test() -> None:
    names = [str(file.relative_to(_ROOT)) for file in _sources() if _has_logic(file) and not _test_of(file).exists()]
    assert not [name for name in names if name not in _TESTED_ELSEWHERE]


def test_no_exception_has_outlived_its_reason() -> None:
    stale = [name for name in _TESTED_ELSEWHERE if not (_ROOT / name).exists() or _test_of(_ROOT / name).exists()]
    assert not stale


def test_every_mirrored_test_has_its_module() -> None:
    sources = {_test_of(file) for file in _sources()}
    tests = {file for package in _PACKAGES for file in (_ROOT / "tests" / package).rglob("test_*.py")}
    assert not sorted(str(file.relative_to(_ROOT)) for file in tests - sources)
