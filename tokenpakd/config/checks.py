"""What one key alone cannot tell: rules between keys and the shape of addresses. Pure."""

import ipaddress
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from tokenpakd.config.document import Path
from tokenpakd.config.problems import did_you_mean, shown
from tokenpakd.config.schema import BUILT_IN_PROVIDERS, Config
from tokenpakd.config.sections import Listen, Provider

_PROVIDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_SECRET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}\Z")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}\Z")
_HOST_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?\Z|[0-9A-Fa-f:.]+\Z")
_VERSION_PREFIX = re.compile(r"/v[0-9]+[a-z]*/?\Z")
_ENDPOINT = "scheme://host[:port][/prefix]"


class Finding(NamedTuple):
    """A rule that is broken, and by which key."""

    path: Path
    reason: str
    value: str | None = None
    allowed: str | None = None
    hint: str | None = None


def check(config: Config) -> Iterator[Finding]:
    """Yield every rule that the configuration breaks."""
    yield from _listen(config.listen)
    paths = {
        ("database",): config.database,
        ("egress", "ca_file"): config.egress.ca_file,
        ("vault", "path"): config.vault.path,
    }
    for key, path in paths.items():
        if path is not None and not (path and path.isprintable()):
            yield Finding(key, "not a path", shown(path))
    for name, provider in config.providers.items():
        yield from _provider(name, provider)
    yield from _routing(config)
    if config.egress.proxy is not None and (fault := _url_fault(config.egress.proxy)):
        yield Finding(("egress", "proxy"), fault, shown(config.egress.proxy), "http://host:port")
    if config.breaker.max_open_s < config.breaker.open_s:
        yield Finding(
            ("breaker", "max_open_s"), "smaller than breaker.open_s", shown(config.breaker.max_open_s), "open_s or more"
        )
    for index, pattern in enumerate(config.gate.patterns):
        try:
            re.compile(pattern)
        except (re.error, OverflowError, RecursionError):
            yield Finding(("gate", "patterns", index), "not a regular expression", shown(pattern))


def is_loopback(host: str) -> bool:
    """True for `localhost` and for addresses that never leave the machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _listen(listen: Listen) -> Iterator[Finding]:
    if listen.address != "localhost":
        try:
            ipaddress.ip_address(listen.address)
        except ValueError:
            yield Finding(
                ("listen", "address"), "not an IP address", shown(listen.address), "127.0.0.1, ::1, 0.0.0.0 …"
            )
    if listen.port and listen.websocket_port == listen.port:
        yield Finding(
            ("listen", "ws_port"),
            "the same as listen.port",
            shown(listen.ws_port),
            hint="Leave it out to use the port after listen.port.",
        )
    if listen.websocket_port > 65535:
        yield Finding(
            ("listen", "port"),
            "leaves no port after it for the WebSocket listener",
            shown(listen.port),
            hint="Set listen.ws_port as well.",
        )
    for index, host in enumerate(listen.hosts):
        if not _HOST_NAME.match(host):
            yield Finding(
                ("listen", "hosts", index), "not a host name", shown(host), hint="No scheme, no port, no wildcard."
            )


def _provider(name: str, provider: Provider) -> Iterator[Finding]:
    path: Path = ("providers", name)
    if not _PROVIDER_NAME.match(name):
        yield Finding(path, "not a name for a provider", allowed="letters, digits, . _ -, at most 64")
    if provider.endpoint is not None:
        yield from _endpoint(provider.endpoint, (*path, "endpoint"))
    elif name not in BUILT_IN_PROVIDERS:
        hint = did_you_mean(name, BUILT_IN_PROVIDERS) or f"Built in are {', '.join(BUILT_IN_PROVIDERS)}."
        yield Finding((*path, "endpoint"), "missing", allowed=_ENDPOINT, hint=hint)
    if provider.auth.header is not None and not _HEADER_NAME.match(provider.auth.header):
        yield Finding((*path, "auth", "header"), "not a header name", shown(provider.auth.header))
    if provider.auth.secret is not None and not _is_secret_name(provider.auth.secret):
        yield Finding(
            (*path, "auth", "secret"),
            "not the name of a secret",
            "(not shown)",
            "letters, digits, . _ -, at most 40",
            f"If it is the key itself: store it with `tokenpakctl secret set {name}` and write its name here.",
        )


def _is_secret_name(text: str) -> bool:
    return bool(_SECRET_NAME.match(text)) and shown(text) != "(not shown)"


def _endpoint(endpoint: str, path: Path) -> Iterator[Finding]:
    value = shown(endpoint)
    if fault := _url_fault(endpoint):
        yield Finding(path, fault, value, _ENDPOINT)
        return
    url = urlsplit(endpoint)
    if _VERSION_PREFIX.search(url.path):
        without = _VERSION_PREFIX.sub("", endpoint)
        yield Finding(
            path,
            "ends in the API's version",
            value,
            _ENDPOINT,
            f"The path follows as received; write {shown(without)}.",
        )
    if url.scheme == "http" and not is_loopback(url.hostname or ""):
        yield Finding(
            path,
            "http to another machine would show keys and prompts to the network",
            value,
            "https, or a loopback host",
        )


def _url_fault(text: str) -> str | None:
    """Say why this is no address that we can connect to; None when it is one."""
    if not text.isascii() or not text.isprintable() or re.search(r"[\s\\]", text):
        return "not a URL"
    try:
        url: SplitResult = urlsplit(text)
        port = url.port
    except ValueError:
        return "not a URL"
    if url.scheme not in ("http", "https"):
        return "has no scheme" if "://" not in text else "a scheme that is not spoken here"
    if not url.hostname or port == 0 or not _HOST_NAME.match(url.hostname):
        return "has no host" if not url.hostname else "not a URL"
    if "?" in text or "#" in text:
        return "has a query or a fragment"
    if url.username is not None:
        return "holds credentials"
    return None


def _routing(config: Config) -> Iterator[Finding]:
    routing = config.routing
    known = tuple(dict.fromkeys((*BUILT_IN_PROVIDERS, *config.providers)))
    fallback = (routing.fallback,) if isinstance(routing.fallback, str) else routing.fallback
    named: list[tuple[Path, str | None]] = [(("routing", "primary"), routing.primary)]
    named += [(("routing", "fallback", index), name) for index, name in enumerate(fallback)]
    named += [
        (("routing", "strategies", index, "provider"), strategy.provider)
        for index, strategy in enumerate(routing.strategies)
    ]
    for path, name in named:
        if name is not None and name not in known:
            yield Finding(path, "names no provider", shown(name), ", ".join(known), did_you_mean(name, known))
