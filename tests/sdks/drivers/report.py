"""What every driver shares: run the named calls, print one JSON object, let no fault hide another's result."""

import json
import sys
import traceback
from collections.abc import Callable
from typing import Any

Calls = dict[str, Callable[[], Any]]


def weather_schema() -> dict[str, Any]:
    """Return the schema of the one tool that drivers offer."""
    return {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def error_of(call: Callable[[], Any]) -> dict[str, Any]:
    """Return class, status and text of the error that `call` must raise."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - an SDK's error classes are what is looked at
        status = getattr(error, "status_code", None) or getattr(error, "code", None)
        return {"class": type(error).__name__, "status": status, "text": str(error)}
    return {"class": None, "status": 200, "text": ""}


def main(calls: Callable[[str], Calls]) -> None:
    """Build the calls for the base URL given as first argument, run all, print their results by name."""
    results: dict[str, Any] = {}
    for name, call in calls(sys.argv[1]).items():
        try:
            results[name] = call()
        except Exception:  # noqa: BLE001 - one failed call must not hide the others; the test reads the traceback
            results[name] = {"failed": traceback.format_exc()}
    json.dump(results, sys.stdout)
