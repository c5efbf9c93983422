"""The arms of the holdout, side by side, and what they say in a plain sentence."""

from __future__ import annotations

from tokenpakctl.render import count, counted
from tokenpakctl.units import signed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tokenpakctl.render import View

_NOT_ENOUGH = "not enough conversations to tell"


def comparison(holdout: View) -> str:
    """Yield both arms, the difference with its error, and the sentence."""
    saved, error = holdout.number("saved_milli_units_per_request"), holdout.number("standard_error_milli_units")
    lines = [
        "compressed and held out, in price-weighted input per request (provider-measured, units)",
        _arm("compressed", holdout.view("compressed")),
        _arm("held out", holdout.view("held_out")),
    ]
    if saved is not None:
        beside = "too few conversations for an error" if error is None else f"± {_units(error)} standard error"
        lines.append(f"  saved       {signed(saved)}  {beside}")
    return "\n".join([*lines, f"  {sentence(holdout)}"])


def sentence(holdout: View) -> str:
    """Say what the difference means; nothing where conversations are too few or their spread too large."""
    saved = holdout.number("saved_milli_units_per_request")
    held_out = holdout.view("held_out").number("milli_units_per_request")
    verdict = holdout.text("verdict")
    if verdict not in ("saves", "costs") or saved is None:
        why = "fewer than 5 in an arm" if verdict == "too_few" else "the interval of 95 % spans zero"
        return f"{_NOT_ENOUGH}: {why}"
    share = f" ({abs(saved) / held_out:.1%})" if held_out else ""
    direction = "less" if verdict == "saves" else "more"
    return f"compressed conversations cost {_units(abs(saved))} units{share} {direction} input per request"


def _arm(name: str, arm: View) -> str:
    per_request = arm.number("milli_units_per_request")
    left_out = arm.number("requests_left_out")
    text = f"  {name.ljust(10)}  {'–' if per_request is None else _units(per_request)}"
    text += f"  {counted(arm.number('conversations'), 'conversation')}, {counted(arm.number('requests'), 'request')}"
    return text + (f", {count(left_out)} more without usage or price" if left_out else "")


def _units(milli_units: float) -> str:
    return signed(milli_units).lstrip("+")
