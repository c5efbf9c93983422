"""Counters of one worker since it started, and their Prometheus text. In memory, no clock, no labels without bound."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable

import msgspec

from tokenpakd.exchange.row import CloseRow, Outcome

MOST_MODELS = 100
MOST_PROVIDERS = 50
OTHER = "other"

ERROR_OUTCOMES = frozenset({Outcome.UPSTREAM_ERROR, Outcome.UPSTREAM_CUT, Outcome.UPSTREAM_TIMEOUT, Outcome.CRASHED})
"""As in `/stats`: neither our refusals nor clients that left."""

NOT_BILLED = frozenset({Outcome.REFUSED, Outcome.UPSTREAM_ERROR})
"""Without reported usage no model worked on these: nothing was spent, so nothing was saved."""

_DURATION_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_TTFB_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_OVERHEAD_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)

Labels = tuple[tuple[str, str], ...]


class Gauge(msgspec.Struct, frozen=True, kw_only=True):
    """One value known to the caller at the moment of rendering. `name` without the `tokenpak_` prefix."""

    name: str
    help: str
    value: float
    labels: Labels = ()


class _Histogram:
    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Metrics:
    """What one worker has seen. `requests_total` and `requests_errors` are what `/health` shows."""

    def __init__(self) -> None:
        self.requests_total = 0
        self.requests_errors = 0
        self._requests: Counter[tuple[str, str, str, str, str, str]] = Counter()
        self._tokens: Counter[tuple[str, str]] = Counter()
        self._saved_tokens = 0
        self._refused: Counter[str] = Counter()
        self._duration = _Histogram(_DURATION_S)
        self._ttfb = _Histogram(_TTFB_S)
        self._overhead = _Histogram(_OVERHEAD_S)
        self._models: set[str] = set()
        self._providers: set[str] = set()

    def observe(self, row: CloseRow) -> None:
        """Count one exchange that has ended."""
        opened = row.opened
        self.requests_total += 1
        self.requests_errors += row.outcome in ERROR_OUTCOMES
        self._requests[
            _bounded(opened.provider, self._providers, MOST_PROVIDERS),
            _bounded(opened.model or "", self._models, MOST_MODELS),
            opened.client,
            str(row.status or 0),
            "true" if opened.is_stream else "false",
            row.outcome.value,
        ] += 1
        self._observe_tokens(row)
        if row.usage is not None or row.outcome not in NOT_BILLED:
            self._saved_tokens += opened.saved_tokens
        if row.outcome is not Outcome.REFUSED:
            self._duration.observe(max(0.0, row.duration_ms - row.overhead_ms) / 1000)
        if row.ttfb_ms is not None:
            self._ttfb.observe(row.ttfb_ms / 1000)
        self._overhead.observe(row.overhead_ms / 1000)

    def refused(self, code: str) -> None:
        """Count a request that the guard turned away; such a one has no row."""
        self._refused[code] += 1

    def render(self, gauges: Iterable[Gauge] = ()) -> bytes:
        """Yield the Prometheus text, format 0.0.4."""
        lines: list[str] = []
        _head(lines, "requests_total", "Exchanges that have ended.", "counter")
        names = ("provider", "model", "client", "status", "stream", "outcome")
        for key, count in sorted(self._requests.items()):
            _line(lines, "requests_total", tuple(zip(names, key, strict=True)), count)
        _head(lines, "requests_errors_total", "Exchanges that an upstream failed.", "counter")
        _line(lines, "requests_errors_total", (), self.requests_errors)
        _head(lines, "tokens_total", "Tokens, by direction and by who counted them.", "counter")
        for (direction, origin), count in sorted(self._tokens.items()):
            _line(lines, "tokens_total", (("direction", direction), ("origin", origin)), count)
        _head(lines, "tokens_saved_total", "Tokens that did not go out, estimated.", "counter")
        _line(lines, "tokens_saved_total", (("cause", "compress"),), self._saved_tokens)
        _head(lines, "guard_refused_total", "Requests turned away before they were read.", "counter")
        for code, count in sorted(self._refused.items()):
            _line(lines, "guard_refused_total", (("code", code),), count)
        _histogram(lines, "upstream_duration_seconds", "From sending to the last byte.", self._duration)
        _histogram(lines, "time_to_first_byte_seconds", "From the request to the first response byte.", self._ttfb)
        _histogram(lines, "proxy_overhead_seconds", "Time spent in this process.", self._overhead)
        seen: set[str] = set()
        for gauge in sorted(gauges, key=lambda gauge: gauge.name):
            if gauge.name not in seen:
                seen.add(gauge.name)
                _head(lines, gauge.name, gauge.help, "gauge")
            _line(lines, gauge.name, gauge.labels, gauge.value)
        return ("\n".join(lines) + "\n").encode("utf-8", "replace")

    def _observe_tokens(self, row: CloseRow) -> None:
        usage = row.usage
        if usage is None:
            if row.opened.sent_tokens_estimate is not None and row.outcome not in NOT_BILLED:
                self._tokens["input", "estimate"] += row.opened.sent_tokens_estimate
            return
        for direction, tokens in (
            ("input", usage.input_uncached),
            ("cache_read", usage.cache_read),
            ("cache_write_5m", usage.cache_write_5m),
            ("cache_write_1h", usage.cache_write_1h),
            ("output", usage.output),
            ("reasoning", usage.reasoning),
        ):
            if tokens is not None:
                self._tokens[direction, "provider"] += tokens


def _bounded(name: str, known: set[str], most: int) -> str:
    """Whoever sends chooses the model's name: past the bound, new ones share one label."""
    if name in known:
        return name
    if len(known) >= most:
        return OTHER
    known.add(name)
    return name


def _head(lines: list[str], name: str, text: str, kind: str) -> None:
    lines.append(f"# HELP tokenpak_{name} {text}")
    lines.append(f"# TYPE tokenpak_{name} {kind}")


def _line(lines: list[str], name: str, labels: Labels, value: float) -> None:
    said = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
    lines.append(f"tokenpak_{name}{{{said}}} {value}" if said else f"tokenpak_{name} {value}")


def _histogram(lines: list[str], name: str, text: str, histogram: _Histogram) -> None:
    _head(lines, name, text, "histogram")
    count = 0
    for bound, inside in zip((*map(str, histogram.bounds), "+Inf"), histogram.counts, strict=True):
        count += inside
        _line(lines, name + "_bucket", (("le", bound),), count)
    _line(lines, name + "_sum", (), round(histogram.total, 6))
    _line(lines, name + "_count", (), count)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
