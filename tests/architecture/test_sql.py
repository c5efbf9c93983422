"""SQL is written out: values are bound, never formatted into the text."""

import ast
import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_STORAGE = sorted((_ROOT / "tokenpakd" / "storage").glob("*.py"))
_STATEMENT = re.compile(
    r"\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|CREATE|ALTER|DROP|ATTACH|WITH|VACUUM|PRAGMA)\s", re.IGNORECASE
)
_EXECUTES = {"execute", "executemany", "executescript"}


def _text(node: ast.expr) -> str:
    """The literal beginning of a text that is put together."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return _text(node.values[0]) if node.values else ""
    if isinstance(node, ast.BinOp):
        return _text(node.left)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return _text(node.func.value)
    return ""


def _formatted(tree: ast.AST) -> list[int]:
    """Lines in which a statement is put together from something that is not a literal or a module's constant."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add):
            parts = [node.right]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            parts = [*node.args, *(keyword.value for keyword in node.keywords)]
        else:
            continue
        text = _text(node)
        # SQLite binds no value in a PRAGMA: a number is all that may be joined on.
        is_known = _is_number if text.startswith("PRAGMA ") else _is_constant
        if _STATEMENT.match(text) and not all(map(is_known, parts)):
            found.append(node.lineno)
    return found


def _joined_while_running(tree: ast.AST) -> list[int]:
    """Lines inside functions that join a statement from parts: at the top of a module all parts are constants."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    calls = [node for function in functions for node in ast.walk(function) if isinstance(node, ast.Call)]
    return [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "statement"]


def _is_number(node: ast.expr) -> bool:
    is_text_of = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "str"
    return is_text_of or _is_constant(node)


def _is_constant(node: ast.expr) -> bool:
    if isinstance(node, ast.Name):
        return node.id.isupper() or node.id.strip("_").isupper()
    return isinstance(node, ast.Constant)


@pytest.mark.parametrize("file", _STORAGE, ids=lambda file: file.name)
def test_no_value_is_formatted_into_a_statement(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    assert not _formatted(tree)
    assert not _joined_while_running(tree)


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ('db.execute(f"SELECT {name} FROM t")', [1]),
        ('db.execute("SELECT %s" % name)', [1]),
        ('db.execute("SELECT a FROM " + table)', [1]),
        ('db.execute("DELETE FROM t WHERE a = {}".format(a))', [1]),
        ('db.execute(f"SELECT {_COLUMNS} FROM t WHERE a = ?", (a,))', []),
        ('db.execute("SELECT a FROM t WHERE b = ?", (b,))', []),
        ('db.execute("PRAGMA user_version = " + str(version))', []),
        ('db.execute("PRAGMA user_version = " + version)', [1]),
        ('print(f"selected {name}")', []),
    ],
)
def test_the_check_itself(code: str, lines: list[int]) -> None:
    assert _formatted(ast.parse(code)) == lines


def test_a_statement_joined_in_a_function_is_found() -> None:
    assert _joined_while_running(ast.parse('A = statement("x")\ndef f(a):\n    return statement("x", a)')) == [3]


def test_statements_live_in_storage_only() -> None:
    elsewhere = []
    for package in ("tokenpakd", "tokenpakctl"):
        for file in (_ROOT / package).rglob("*.py"):
            if file in _STORAGE:
                continue
            calls = [
                node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)
            ]
            names = {node.func.attr for node in calls if isinstance(node.func, ast.Attribute)}
            if names & _EXECUTES:
                elsewhere.append(str(file.relative_to(_ROOT)))
    assert not elsewhere
