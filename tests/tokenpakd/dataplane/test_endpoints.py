"""What the data plane answers itself."""

import json

import pytest

from tests.tokenpakd.dataplane.fakes import FakeClient, FakePlane, FakeTransport, inbound
from tokenpakd.dataplane import endpoints
from tokenpakd.exchange.faults import Refused


async def ask(target: bytes, method: str = "GET", plane: FakePlane | None = None) -> FakeClient | None:
    client = FakeClient()
    plane = plane or FakePlane(FakeTransport())
    return client if await endpoints.answer(inbound(method=method, target=target), client, plane) else None


@pytest.mark.parametrize(
    ("target", "method", "kind"),
    [
        (b"/health", "GET", b"application/json"),
        (b"/stats", "GET", b"application/json"),
        (b"/stats/last", "GET", b"application/json"),
        (b"/recent", "GET", b"application/json"),
        (b"/metrics", "GET", b"text/plain; version=0.0.4; charset=utf-8"),
        (b"/", "GET", b"text/plain; charset=utf-8"),
        (b"/", "HEAD", b"text/plain; charset=utf-8"),
        (b"/api/hello", "HEAD", b"text/plain; charset=utf-8"),
        (b"/health", "HEAD", b"application/json"),
        (b"/health?x=1", "GET", b"application/json"),
    ],
)
async def test_answers_its_own_paths_for_no_page(target: bytes, method: str, kind: bytes) -> None:
    client = await ask(target, method)
    assert client is not None
    assert (client.status, client.field(b"content-type")) == (200, kind)
    length = int(client.field(b"content-length") or 0)
    assert length > 0
    assert len(client.body) == (length if method == "GET" else 0)
    assert client.field(b"cache-control") == b"no-store"
    assert client.field(b"x-content-type-options") == b"nosniff"
    assert client.field(b"cross-origin-resource-policy") == b"same-origin"
    assert client.field(b"x-tokenpak-request-id") == b"tpk_1"
    assert not any(name.startswith(b"access-control-") for name, _ in client.fields)


@pytest.mark.parametrize(
    ("target", "method"),
    [
        (b"/health", "POST"), (b"/metrics", "DELETE"), (b"/v1/models", "GET"), (b"/healthy", "GET"),
        (b"/health/", "GET"), (b"/recent/1", "GET"), (b"/api/hello", "GET"), (b"/trace", "GET"), (b"/api/tags", "GET"),
    ],
)  # fmt: skip
async def test_leaves_every_other_request_to_a_provider(target: bytes, method: str) -> None:
    assert await ask(target, method) is None


async def test_health_has_the_status_of_the_worker() -> None:
    plane = FakePlane(FakeTransport())
    plane.health_status = 503
    client = await ask(b"/health", plane=plane)
    assert client is not None
    assert (client.status, json.loads(client.body)) == (503, {"status": "ok"})


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        (b"", 20), (b"?limit=1", 1), (b"?limit=1000", 1000), (b"?limit=1001", 1000), (b"?limit=007", 7),
        (b"?limit=", 20), (b"?other=1", 20), (b"?limit=5&limit=6", 5), (b"?limit=999999999999999999", 1000),
        (b"?limit=0", None), (b"?limit=-1", None), (b"?limit=+1", None), (b"?limit=1.5", None), (b"?limit=x", None),
        (b"?limit=1%20", None), (b"?limit=%D9%A1", None), (b"?limit=\xb2", None), (b"?limit=1_0", None),
        (b"?limit=" + b"9" * 5000, None),
    ],
)  # fmt: skip
async def test_limit_is_a_number_from_1_to_1000(query: bytes, asked: int | None) -> None:
    plane = FakePlane(FakeTransport())
    client = await ask(b"/recent" + query, plane=plane)
    assert client is not None
    if asked is None:
        assert client.status == 400
        assert json.loads(client.body)["error"]["code"] == "bad_limit"
        assert plane.limits_asked == []
    else:
        assert client.status == 200
        assert plane.limits_asked == [asked]
        assert json.loads(client.body) == {"requests": []}


async def test_a_trace_is_found_by_its_id_or_404() -> None:
    plane = FakePlane(FakeTransport())
    plane.traces["tpk_7"] = {"id": "tpk_7"}
    found, missing = await ask(b"/trace/tpk_7", plane=plane), await ask(b"/trace/%2e%2e/\xff", plane=plane)
    assert found is not None
    assert missing is not None
    assert (found.status, json.loads(found.body)) == (200, {"id": "tpk_7"})
    assert (missing.status, json.loads(missing.body)["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("target", [b"/stats", b"/stats/last", b"/recent", b"/trace/x"])
async def test_a_store_at_fault_is_for_the_door_to_refuse(target: bytes) -> None:
    plane = FakePlane(FakeTransport())
    plane.fault = Refused(503, "telemetry_unavailable", "tokenpak: no")
    with pytest.raises(Refused):
        await ask(target, plane=plane)
    health = await ask(b"/health", plane=plane)
    assert health is not None
    assert health.status == 200, "health needs no store"
