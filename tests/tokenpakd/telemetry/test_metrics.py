import re

from tokenpakd.exchange.request import RequestId
from tokenpakd.exchange.row import CloseRow, OpenRow, Outcome
from tokenpakd.exchange.usage import Usage
from tokenpakd.telemetry.metrics import MOST_MODELS, Gauge, Metrics

SAMPLE = re.compile(r"tokenpak_[a-z_]+(\{[a-z_]+=\"([^\"\\\n]|\\.)*\"(,[a-z_]+=\"([^\"\\\n]|\\.)*\")*\})? -?[0-9.e+-]+")


def row(outcome: Outcome = Outcome.OK, *, model: str | None = "m", usage: Usage | None = None) -> CloseRow:
    opened = OpenRow(
        id=RequestId("r"),
        at_unix_ms=1,
        boot_id="b",
        worker="w",
        path="/v1/messages",
        dialect="anthropic_messages",
        provider="anthropic",
        model=model,
        is_stream=True,
        mode="hybrid",
        conversation=None,
        client="codex",
        bytes_received=10,
        bytes_sent=8,
        saved_tokens=5,
        sent_tokens_estimate=20,
        spans_replaced=1,
    )
    return CloseRow(
        opened=opened, outcome=outcome, status=200, usage=usage, ttfb_ms=40.0, duration_ms=900.0, overhead_ms=0.6
    )


def samples(text: bytes) -> dict[str, float]:
    found = {}
    for line in text.decode().splitlines():
        if not line.startswith("#"):
            assert SAMPLE.fullmatch(line), line
            name, _, value = line.rpartition(" ")
            found[name] = float(value)
    return found


def test_an_exchange_is_counted_in_every_measure() -> None:
    metrics = Metrics()
    metrics.observe(row(usage=Usage(input_uncached=3, cache_read=100, output=7)))
    metrics.observe(row())
    found = samples(metrics.render())
    labels = 'provider="anthropic",model="m",client="codex",status="200",stream="true",outcome="ok"'
    assert found["tokenpak_requests_total{" + labels + "}"] == 2
    assert found['tokenpak_tokens_total{direction="cache_read",origin="provider"}'] == 100
    assert found['tokenpak_tokens_total{direction="input",origin="estimate"}'] == 20
    assert found['tokenpak_tokens_saved_total{cause="compress"}'] == 10
    assert found['tokenpak_time_to_first_byte_seconds_bucket{le="0.05"}'] == 2
    assert found['tokenpak_proxy_overhead_seconds_bucket{le="0.0005"}'] == 0
    assert found['tokenpak_proxy_overhead_seconds_bucket{le="0.001"}'] == 2
    assert found['tokenpak_upstream_duration_seconds_bucket{le="+Inf"}'] == 2
    assert found["tokenpak_upstream_duration_seconds_sum"] == 1.7988


def test_errors_are_what_an_upstream_failed() -> None:
    metrics = Metrics()
    for outcome in Outcome:
        metrics.observe(row(outcome))
    assert (metrics.requests_total, metrics.requests_errors) == (8, 4)
    assert samples(metrics.render())["tokenpak_requests_errors_total"] == 4
    assert samples(metrics.render())['tokenpak_tokens_saved_total{cause="compress"}'] == 5 * 6


def test_models_of_the_senders_choosing_do_not_grow_without_bound() -> None:
    metrics = Metrics()
    for number in range(MOST_MODELS * 5):
        metrics.observe(row(model=f"model-{number}"))
    found = [name for name in samples(metrics.render()) if name.startswith("tokenpak_requests_total{")]
    assert len(found) == MOST_MODELS + 1
    assert sum('model="other"' in name for name in found) == 1


def test_labels_cannot_break_out_of_their_line() -> None:
    metrics = Metrics()
    metrics.observe(row(model='m"} 1\ntokenpak_fake{a="\\'))
    metrics.observe(row(model="lone \ud800"))
    assert not any(name.startswith("tokenpak_fake") for name in samples(metrics.render()))


def test_refusals_of_the_guard_and_gauges_of_the_caller_are_shown() -> None:
    metrics = Metrics()
    metrics.refused("bad_host")
    metrics.refused("bad_host")
    gauges = [
        Gauge(name="breaker_state", help="0 closed.", value=2, labels=(("provider", "b"),)),
        Gauge(name="inflight_requests", help="Now.", value=3),
        Gauge(name="breaker_state", help="0 closed.", value=0, labels=(("provider", "a"),)),
    ]
    text = metrics.render(gauges)
    found = samples(text)
    assert found['tokenpak_guard_refused_total{code="bad_host"}'] == 2
    assert found["tokenpak_inflight_requests"] == 3
    assert found['tokenpak_breaker_state{provider="b"}'] == 2
    assert text.count(b"# TYPE tokenpak_breaker_state gauge") == 1
    assert metrics.requests_total == 0
