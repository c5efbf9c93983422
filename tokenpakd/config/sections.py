"""The sections of the configuration file, each key with type, default, bounds and description.

A key is declared once, here or in `schema`: everything else (the reader, `tokenpakctl config`, the reference page)
is derived from the declaration.
"""

from typing import Annotated, Literal

import msgspec

from tokenpakd.exchange.request import DialectName

Apply = Literal["live", "restart", "daemon"]
"""When a changed key takes effect: at the next reload, with new workers, or with a new daemon."""


def about(
    description: str,
    *,
    ge: float | None = None,
    le: float | None = None,
    env: str | None = None,
    apply: Apply = "live",
    hint: str | None = None,
) -> msgspec.Meta:
    """Yield what a key says of itself beside its type and default; `hint` ends the complaint about a bad value."""
    extra = {"env": env, "apply": apply} | ({"hint": hint} if hint else {})
    return msgspec.Meta(description=description, ge=ge, le=le, extra=extra)


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping with fixed keys."""


_USD = 1_000_000_000
_DAY_S = 86_400
_TOKENS = 10**12


class Listen(Section, frozen=True, kw_only=True):
    """Where the daemon listens and how much it takes."""

    address: Annotated[
        str,
        about(
            "Address of both listeners. 127.0.0.1 means both loopback families. Any other address needs a local token.",
            env="TOKENPAK_BIND_ADDRESS",
            apply="daemon",
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int, about("HTTP port; 0 takes a free one.", ge=0, le=65535, env="TOKENPAK_PORT", apply="daemon")
    ] = 8766
    ws_port: (
        Annotated[
            int,
            about("WebSocket port; null is port + 1.", ge=0, le=65535, env="TOKENPAK_WS_PORT", apply="daemon"),
        ]
        | None
    ) = None
    hosts: Annotated[
        tuple[str, ...], about("Host names accepted in the Host header beside the loopback ones, exactly as written.")
    ] = ()
    max_connections: Annotated[int, about("Open client connections per worker.", ge=1, le=65536, apply="restart")] = 512
    max_body_mb: Annotated[int, about("Largest body of a model request, in MiB.", ge=1, le=1024)] = 64

    @property
    def websocket_port(self) -> int:
        """The port of the WebSocket listener: `ws_port`, or the one after `port` (0 stays 0: any free one)."""
        if self.ws_port is not None:
            return self.ws_port
        return self.port + 1 if self.port else 0


class Compression(Section, frozen=True, kw_only=True):
    """What may be removed from a request."""

    enabled: Annotated[bool, about("False switches all compression off.", env="TOKENPAK_COMPACT")] = True
    observe: Annotated[bool, about("Count what could be saved even where nothing is removed.")] = True
    holdout: Annotated[
        float,
        about(
            "Share of conversations left uncompressed, to measure against; running ones stay as they began.",
            ge=0,
            le=1,
            hint="It is a share: 0.1 leaves every tenth conversation uncompressed.",
        ),
    ] = 0.0
    masking: Annotated[
        bool,
        about("In aggressive, stale tool results may give way once it pays: rewrites what was sent, and is recorded."),
    ] = False


class Match(Section, frozen=True, kw_only=True):
    """What else a request must look like for a strategy to apply."""

    header: Annotated[dict[str, str], about("Header names with the exact value each must have.")] = {}


class Strategy(Section, frozen=True, kw_only=True):
    """One routing rule."""

    provider: Annotated[str, about("The provider that matching requests go to.")]
    models: Annotated[tuple[str, ...], about("Patterns of model names; empty matches every model.")] = ()
    weight: Annotated[int, about("Share among the strategies that match equally well.", ge=0, le=1_000_000)] = 100
    match: Annotated[Match, about("What else the request must look like.")] = Match()
    model: Annotated[str | None, about("The model to ask for instead.")] = None


class Routing(Section, frozen=True, kw_only=True):
    """Which provider answers."""

    primary: Annotated[str | None, about("The provider for requests that no rule places.")] = None
    fallback: Annotated[
        str | tuple[str, ...], about("Providers to try, in order, when the first one cannot answer.")
    ] = ()
    strategies: Annotated[tuple[Strategy, ...], about("Rules; the most specific pattern wins.")] = ()


class Auth(Section, frozen=True, kw_only=True):
    """How a provider is given its key."""

    header: Annotated[str | None, about("Header that carries the key; null is the dialect's own.")] = None
    secret: Annotated[str | None, about("Name of a stored secret, never the key itself.")] = None


class Provider(Section, frozen=True, kw_only=True):
    """A provider of your own, or changes to a built-in one."""

    dialect: Annotated[
        DialectName | None, about("Wire format it speaks; null is the built-in one's, else the caller's.")
    ] = None
    endpoint: Annotated[
        str | None,
        about("scheme://host[:port][/prefix] without /v1; the request's path follows as received."),
    ] = None
    auth: Annotated[Auth, about("How it is given its key.")] = Auth()
    models: Annotated[tuple[str, ...], about("Models it serves, where it does not list them itself.")] = ()


class Egress(Section, frozen=True, kw_only=True):
    """How providers are reached. Read once when a worker starts."""

    proxy: Annotated[
        str | None, about("HTTP proxy for all providers; null reads HTTPS_PROXY and NO_PROXY.", apply="restart")
    ] = None
    ca_file: Annotated[
        str | None, about("Certificate authorities to trust, PEM; null reads SSL_CERT_FILE.", apply="restart")
    ] = None


class Retry(Section, frozen=True, kw_only=True):
    """Retries of ours; those of the client stay the client's."""

    attempts: Annotated[int, about("Attempts per provider; 1 means that only the client retries.", ge=1, le=10)] = 1
    deadline_s: Annotated[float, about("No attempt starts later than this.", ge=0, le=_DAY_S)] = 60
    hold_s: Annotated[
        float, about("A stream is held for failover until its first content, at most this long.", ge=0, le=600)
    ] = 5


class Breaker(Section, frozen=True, kw_only=True):
    """When a provider that fails is left alone for a while."""

    enabled: Annotated[bool, about("False never opens a breaker.")] = True
    failures: Annotated[int, about("Failed attempts within the window that open it.", ge=1, le=10_000)] = 5
    window_s: Annotated[float, about("Length of the window.", ge=1, le=_DAY_S)] = 60
    ratio: Annotated[float, about("Share of failed attempts that is needed as well.", ge=0, le=1)] = 0.5
    open_s: Annotated[
        float, about("How long it stays open at first; doubled after a failed probe.", ge=1, le=_DAY_S)
    ] = 15
    max_open_s: Annotated[float, about("How long it stays open at most.", ge=1, le=_DAY_S)] = 300


class Resend(Section, frozen=True, kw_only=True):
    """What happens to an answer whose client left."""

    adopt_s: Annotated[
        float, about("Keep the upstream that long for an identical resend to join; 0 is never.", ge=0, le=600)
    ] = 0


class ExactCache(Section, frozen=True, kw_only=True):
    """Answers to identical requests, in memory."""

    enabled: Annotated[bool, about("False switches it off.")] = True
    ttl_s: Annotated[int, about("Age at which an answer is forgotten.", ge=1, le=30 * _DAY_S)] = 3600
    max_mb: Annotated[int, about("Memory it may take, in MiB.", ge=1, le=65536)] = 64
    when: Annotated[
        Literal["deterministic", "always"],
        about("deterministic: only requests with temperature 0 or a seed; always: every request not streamed."),
    ] = "deterministic"


class SemanticCache(Section, frozen=True, kw_only=True):
    """Answers to requests that mean the same."""

    enabled: Annotated[bool, about("True switches it on.", env="TOKENPAK_SEMANTIC_CACHE_STAGE")] = False
    ttl_s: Annotated[int, about("Age at which an answer is forgotten.", ge=1, le=30 * _DAY_S)] = 300


class Cache(Section, frozen=True, kw_only=True):
    """Answers kept by us and markers for the provider's own cache."""

    exact: ExactCache = ExactCache()
    semantic: SemanticCache = SemanticCache()
    markers: Annotated[
        Literal["auto", "off"], about("auto: place the provider's cache markers where the client placed none.")
    ] = "auto"
    backend: Annotated[Literal["memory"], about("Where answers are kept.", apply="restart")] = "memory"


class Rates(Section, frozen=True, kw_only=True):
    """Limits per minute."""

    requests_per_minute: Annotated[int, about("Requests.", ge=0, le=_TOKENS)] | None = None
    tokens_per_minute: Annotated[int, about("Input and output tokens.", ge=0, le=_TOKENS)] | None = None
    cost_per_minute_usd: Annotated[float, about("Cost in USD.", ge=0, le=_USD)] | None = None


Limit = dict[str, int | float | Rates | None]
"""The three rates of `Rates`, or a map from patterns to `Rates`."""


class Limits(Section, frozen=True, kw_only=True):
    """Requests, tokens and cost per minute: either one set of rates or a map from patterns to such sets."""

    peer: Annotated[Limit, about("Per client address.")] = {}
    key: Annotated[Limit, about("Per credential of the caller.")] = {}
    user: Annotated[Limit, about("Per user, as x-tokenpak-user names it.")] = {}
    model: Annotated[Limit, about("Per model.")] = {}
    provider: Annotated[Limit, about("Per provider.")] = {}


class Budget(Section, frozen=True, kw_only=True):
    """The budget of one user or one repository."""

    daily_limit_usd: Annotated[float, about("Most that a day may cost, in USD.", ge=0, le=_USD)] | None = None


class CostControl(Section, frozen=True, kw_only=True):
    """Budgets."""

    enabled: Annotated[bool, about("False switches budgets off.", env="TOKENPAK_SPEND_GUARD_ENABLED")] = True
    daily_limit_usd: Annotated[float, about("Most that a day may cost, in USD.", ge=0, le=_USD)] | None = None
    per_request_limit_usd: Annotated[float, about("Most that a request may cost, in USD.", ge=0, le=_USD)] | None = None
    warn_at: Annotated[float, about("Share of a budget at which a warning is logged.", ge=0, le=1)] = 0.8
    day: Annotated[Literal["local", "utc"], about("Whose midnight starts a new day.")] = "local"
    users: Annotated[dict[str, Budget], about("Budgets by user.")] = {}
    repos: Annotated[dict[str, Budget], about("Budgets by repository.")] = {}


GateMode = Literal["off", "shadow", "warn", "redact", "block"]


class GateRules(Section, frozen=True, kw_only=True):
    """Rules that act differently from `gate.mode`; null follows it."""

    provider_keys: Annotated[GateMode | None, about("Keys of providers in the prompt.")] = None
    private_keys: Annotated[GateMode | None, about("Private keys in the prompt.")] = None
    injection: Annotated[GateMode | None, about("Patterns of prompt injection.")] = None


class Gate(Section, frozen=True, kw_only=True):
    """What is looked for in the text of requests."""

    mode: Annotated[GateMode, about("What a finding leads to.")] = "shadow"
    rules: GateRules = GateRules()
    terms: Annotated[tuple[str, ...], about("Terms of your own to look for.")] = ()
    patterns: Annotated[tuple[str, ...], about("Regular expressions of your own to look for.")] = ()
    responses: Annotated[bool, about("Look at responses as well.")] = False


class Vault(Section, frozen=True, kw_only=True):
    """Injection of indexed documents."""

    inject: Annotated[bool, about("False injects nothing.")] = True
    budget_tokens: Annotated[
        int, about("Most tokens injected into a request.", ge=0, le=1_000_000, env="TOKENPAK_INJECT_BUDGET")
    ] = 2200
    min_score: Annotated[float, about("Least similarity of a chunk.", ge=0, le=1, env="TOKENPAK_INJECT_MIN_SCORE")] = (
        0.6
    )
    path: Annotated[
        str | None, about("Where vault.db lives; null is the state folder.", env="VAULT_INDEX_PATH", apply="restart")
    ] = None
    min_prompt_tokens: Annotated[int, about("Requests smaller than this get nothing.", ge=0, le=_TOKENS)] = 0


Price = Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]


class Pricing(Section, frozen=True, kw_only=True):
    """Prices of your own."""

    overrides: Annotated[
        dict[str, dict[str, Price]], about("Per model pattern: kind of token and its price in USD per million.")
    ] = {}
