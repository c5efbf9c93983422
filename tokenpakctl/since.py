"""From when on: `24h`, `7d`, a date, or a date with a time, as unix milliseconds."""

from __future__ import annotations

from tokenpakctl.session import USAGE, Failed

_UNITS_S = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_HINT = "Write `--since 24h`, `--since 7d` or `--since 2026-01-31`."


def since_unix_ms(text: str, *, now_s: float) -> int:
    """Yield the moment that the text names; a date without a zone is local, a date alone its midnight.

    Raises:
      Failed: it names none, or one that is still to come.
    """
    number, unit = text[:-1], text[-1:].lower()
    if unit in _UNITS_S and number.isascii() and number.isdigit():
        # Twelve digits reach back beyond all records; digits without end would be no float.
        return max(0, round((now_s - int(number[:12]) * _UNITS_S[unit]) * 1000))
    from datetime import datetime

    try:
        at_s = datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        message = f"--since {text!r} is no time"
        raise Failed(message, _HINT, code="usage", exit_code=USAGE) from None
    if at_s > now_s:
        raise Failed(f"--since {text} is still to come", _HINT, code="usage", exit_code=USAGE)
    return max(0, round(at_s * 1000))
