"""Room: which provider answers. Until routing rules come: the caller's header, the model of a provider that
only configuration names, the path, then the headers.

A caller's key never reaches a host it does not belong to: where the provider is not the one that the path and
headers mean, the key goes along only if its form is that provider's.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase

import msgspec

from tokenpakd.dataplane.call import origin_of
from tokenpakd.dataplane.plan import CREDENTIAL_HEADERS, Plan, Route
from tokenpakd.dialects.classify import caller_dialect
from tokenpakd.exchange.faults import Refused
from tokenpakd.exchange.request import DialectName, Inbound
from tokenpakd.providers.provider import Provider
from tokenpakd.tip import headers

_BY_DIALECT = {
    DialectName.ANTHROPIC: "anthropic",
    DialectName.OPENAI_CHAT: "openai",
    DialectName.OPENAI_RESPONSES: "openai",
    DialectName.GEMINI: "gemini",
    DialectName.OLLAMA: "ollama",
}
_BY_PREFIX = ((b"/v1beta/", "gemini"), (b"/v1/", "openai"), (b"/api/", "ollama"))


def decide(plan: Plan, providers: Mapping[str, Provider]) -> tuple[Plan, str]:
    """Choose the provider of a request.

    Raises:
      Refused: 400 for an unknown or unfit provider name, 401 for a key that may not go there, 404 where neither
        path nor headers name a provider.
    """
    inbound = plan.inbound
    natural = _natural(plan)
    route = _named(inbound, providers, plan) or _by_model(plan, providers, natural)
    if route is None:
        provider = providers.get(natural) if natural is not None else None
        if provider is None:
            raise Refused(404, "not_found", "tokenpak: no provider serves this path. Run `tokenpakctl providers`.")
        route = Route(provider=provider, rule="path" if plan.endpoint.dialect in _BY_DIALECT else "headers")
    elif route.provider.name != natural:
        route = _cross(route, inbound)
    return msgspec.structs.replace(plan, route=route), f"{route.provider.name} by {route.rule}"


def _natural(plan: Plan) -> str | None:
    """Return the provider that path and headers mean, by name."""
    inbound = plan.inbound
    named = _BY_DIALECT.get(caller_dialect(plan.endpoint, inbound.headers, inbound.query))
    if named is not None:
        return named
    bearer = inbound.header(b"authorization") or b""
    if b"sk-ant-" in bearer or inbound.header(b"x-api-key") is not None:
        return "anthropic"
    for prefix, provider in _BY_PREFIX:
        if inbound.path.startswith(prefix):
            return provider
    # A bare path that is no API of anybody's is a 404 of ours, not a question to a provider.
    return "openai" if bearer else None


def _named(inbound: Inbound, providers: Mapping[str, Provider], plan: Plan) -> Route | None:
    value = inbound.header(headers.ROUTE.encode())
    if value is None:
        return None
    provider = providers.get(value.decode("latin-1").strip())
    if provider is None:
        raise Refused(400, "bad_route", f"tokenpak: {headers.ROUTE} names no provider. Run `tokenpakctl providers`.")
    if plan.endpoint.dialect in _BY_DIALECT and plan.endpoint.dialect not in provider.dialects:
        raise Refused(400, "bad_route", f"tokenpak: {provider.name} does not speak this path's dialect")
    return Route(provider=provider, rule=headers.ROUTE)


def _by_model(plan: Plan, providers: Mapping[str, Provider], natural: str | None) -> Route | None:
    model = plan.look.model
    if model is None:
        return None
    for provider in providers.values():
        # A built-in rule is of lowest rank: only a loopback endpoint takes a model from the path's provider.
        if provider.name == natural or not origin_of(provider.endpoint)[0].is_loopback:
            continue
        if plan.endpoint.dialect in provider.dialects and any(fnmatchcase(model, p) for p in provider.models):
            return Route(provider=provider, rule=f"model {model}")
    return None


def _cross(route: Route, inbound: Inbound) -> Route:
    """Decide on the caller's key for a provider it was not addressed to."""
    provider = route.provider
    for name in CREDENTIAL_HEADERS:
        value = inbound.header(name)
        if value is None:
            continue
        key = value[7:] if value[:7].lower() == b"bearer " else value
        # `sk-` is OpenAI's form, but every `sk-ant-` key is Anthropic's.
        is_anthropics = key.startswith(b"sk-ant-") and provider.name != "anthropic"
        if name in provider.key_headers and key.startswith(provider.key_prefixes or b"\0") and not is_anthropics:
            return route
    if origin_of(provider.endpoint)[0].is_loopback:
        return msgspec.structs.replace(route, keeps_credential=False)
    raise Refused(
        401,
        "no_credential",
        f"tokenpak: the key of this request is not for {provider.name} and was not sent there; "
        f"send one of its own, or drop {headers.ROUTE}",
        may_retry=False,
    )
