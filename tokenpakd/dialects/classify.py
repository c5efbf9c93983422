"""Which endpoint a raw request path names: dialect and kind, from method and path alone.

Paths are matched as received, never percent-decoded: what a provider would not recognise we do not either.
Clients put a prefix before the version (`/anthropic/v1/messages`), so the segments after the last version decide;
versionless and Ollama paths are known only in their exact form.
"""

import enum

import msgspec

from tokenpakd.exchange.request import DialectName, Headers


class EndpointKind(enum.StrEnum):
    """What is asked for. `MESSAGES` is generation; `OTHER` is whatever nobody here needs to understand."""

    MESSAGES = "messages"
    COUNT_TOKENS = "count_tokens"
    BATCH = "batch"
    EMBEDDINGS = "embeddings"
    COMPLETIONS = "completions"
    MODELS = "models"
    TAGS = "tags"
    OTHER = "other"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a path leads.

    `is_parsed`: a model endpoint whose body is read whole, capped and looked at; everything else streams through
    untouched. Batches and versionless paths are known but not parsed.
    """

    dialect: DialectName
    kind: EndpointKind
    is_parsed: bool = False


_ANTHROPIC = DialectName.ANTHROPIC
_CHAT = DialectName.OPENAI_CHAT
_RESPONSES = DialectName.OPENAI_RESPONSES
_GEMINI = DialectName.GEMINI
_OLLAMA = DialectName.OLLAMA

_VERSIONS = frozenset((b"v1", b"v1beta", b"v1alpha", b"v1beta1"))

# What follows `/v1/`, joined by slashes, when it is the whole rest of the path.
_AFTER_V1: dict[bytes, tuple[DialectName, EndpointKind]] = {
    b"messages": (_ANTHROPIC, EndpointKind.MESSAGES),
    b"messages/count_tokens": (_ANTHROPIC, EndpointKind.COUNT_TOKENS),
    b"chat/completions": (_CHAT, EndpointKind.MESSAGES),
    b"responses": (_RESPONSES, EndpointKind.MESSAGES),
    b"responses/input_tokens": (_RESPONSES, EndpointKind.COUNT_TOKENS),
    b"embeddings": (_CHAT, EndpointKind.EMBEDDINGS),
    b"completions": (_CHAT, EndpointKind.COMPLETIONS),
}
# Families below `/v1/`: known by dialect, streamed through. The longest name that fits comes first.
_BELOW_V1: tuple[tuple[bytes, DialectName, EndpointKind], ...] = (
    (b"messages/batches", _ANTHROPIC, EndpointKind.BATCH),
    (b"messages", _ANTHROPIC, EndpointKind.OTHER),
    (b"responses", _RESPONSES, EndpointKind.OTHER),
    (b"batches", _CHAT, EndpointKind.BATCH),
    (b"chat", _CHAT, EndpointKind.OTHER),
)
_GEMINI_VERBS: dict[bytes, EndpointKind] = {
    b"generateContent": EndpointKind.MESSAGES,
    b"streamGenerateContent": EndpointKind.MESSAGES,
    b"countTokens": EndpointKind.COUNT_TOKENS,
    b"embedContent": EndpointKind.EMBEDDINGS,
    b"batchEmbedContents": EndpointKind.EMBEDDINGS,
    b"batchGenerateContent": EndpointKind.BATCH,
}
_GEMINI_COLLECTIONS = frozenset((b"models", b"tunedModels"))
_EXACT: dict[bytes, tuple[DialectName, EndpointKind]] = {
    b"/chat/completions": (_CHAT, EndpointKind.MESSAGES),
    b"/backend-api/codex/responses": (_RESPONSES, EndpointKind.MESSAGES),
    b"/api/chat": (_OLLAMA, EndpointKind.MESSAGES),
    b"/api/generate": (_OLLAMA, EndpointKind.MESSAGES),
    b"/api/embed": (_OLLAMA, EndpointKind.EMBEDDINGS),
    b"/api/embeddings": (_OLLAMA, EndpointKind.EMBEDDINGS),
    b"/api/tags": (_OLLAMA, EndpointKind.TAGS),
    b"/api/show": (_OLLAMA, EndpointKind.OTHER),
    b"/api/version": (_OLLAMA, EndpointKind.OTHER),
    b"/api/ps": (_OLLAMA, EndpointKind.OTHER),
}
_PARSED = frozenset(
    (EndpointKind.MESSAGES, EndpointKind.COUNT_TOKENS, EndpointKind.EMBEDDINGS, EndpointKind.COMPLETIONS)
)
_UNKNOWN = Endpoint(dialect=DialectName.OTHER, kind=EndpointKind.OTHER)


def classify(method: str, path: bytes) -> Endpoint:
    """Name dialect and kind of a raw path (no query).

    `GET …/models` has no dialect of its own: three providers share it, so it comes back as `OTHER` and
    `caller_dialect` reads the headers.
    """
    exact = _EXACT.get(path)
    if exact is not None:
        return _endpoint(method, exact[0], exact[1], is_model=path.startswith(b"/api/"))
    segments = path.split(b"/")
    if len(segments) < 2 or segments[0] != b"":
        return _UNKNOWN
    gemini = _gemini(method, segments)
    if gemini is not None:
        return gemini
    version = _last_version(segments)
    if version is None:
        return _UNKNOWN
    rest = b"/".join(segments[version + 1 :])
    if segments[version] == b"v1":
        whole = _AFTER_V1.get(rest)
        if whole is not None:
            return _endpoint(method, whole[0], whole[1], is_model=True)
        for name, dialect, kind in _BELOW_V1:
            if rest == name or rest.startswith(name + b"/"):
                return Endpoint(dialect=dialect, kind=kind)
    if rest == b"models" or rest.startswith(b"models/"):
        dialect = DialectName.OTHER if segments[version] == b"v1" else _GEMINI
        return Endpoint(dialect=dialect, kind=EndpointKind.MODELS)
    return _UNKNOWN


def caller_dialect(endpoint: Endpoint, headers: Headers, query: bytes) -> DialectName:
    """Name the dialect the caller expects an answer in, also where the path alone does not say."""
    if endpoint.dialect is not DialectName.OTHER:
        return endpoint.dialect
    names = {name.lower() for name, _ in headers}
    if b"anthropic-version" in names:
        return _ANTHROPIC
    if b"x-goog-api-key" in names or b"x-goog-api-client" in names or _has_key(query):
        return _GEMINI
    return _CHAT if endpoint.kind is EndpointKind.MODELS else DialectName.OTHER


def _endpoint(method: str, dialect: DialectName, kind: EndpointKind, *, is_model: bool) -> Endpoint:
    return Endpoint(dialect=dialect, kind=kind, is_parsed=is_model and method == "POST" and kind in _PARSED)


def _gemini(method: str, segments: list[bytes]) -> Endpoint | None:
    name, colon, verb = segments[-1].rpartition(b":")
    if not colon or not name or len(segments) < 3 or segments[-2] not in _GEMINI_COLLECTIONS:
        return None
    has_version = _last_version(segments[:-2]) is not None
    if not has_version and len(segments) != 3:
        return None
    return _endpoint(method, _GEMINI, _GEMINI_VERBS.get(verb, EndpointKind.OTHER), is_model=has_version)


def _last_version(segments: list[bytes]) -> int | None:
    for index in range(len(segments) - 1, 0, -1):
        if segments[index] in _VERSIONS:
            return index
    return None


def _has_key(query: bytes) -> bool:
    return any(pair.startswith(b"key=") for pair in query.split(b"&"))
