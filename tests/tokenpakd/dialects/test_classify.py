"""Paths of clients, as received."""

import pytest

from tokenpakd.dialects.classify import Endpoint, EndpointKind, caller_dialect, classify
from tokenpakd.exchange.request import DialectName

A, C, R, G, OL, X = (
    DialectName.ANTHROPIC,
    DialectName.OPENAI_CHAT,
    DialectName.OPENAI_RESPONSES,
    DialectName.GEMINI,
    DialectName.OLLAMA,
    DialectName.OTHER,
)
K = EndpointKind


@pytest.mark.parametrize(
    ("method", "path", "dialect", "kind", "is_parsed"),
    [
        ("POST", b"/v1/messages", A, K.MESSAGES, True),
        ("POST", b"/anthropic/v1/messages", A, K.MESSAGES, True),
        ("POST", b"/a/b/v1/messages", A, K.MESSAGES, True),
        ("GET", b"/v1/messages", A, K.MESSAGES, False),
        ("POST", b"/v1/messages/count_tokens", A, K.COUNT_TOKENS, True),
        ("POST", b"/v1/messages/batches", A, K.BATCH, False),
        ("GET", b"/v1/messages/batches/b1/results", A, K.BATCH, False),
        ("POST", b"/v1/messages/new", A, K.OTHER, False),
        ("POST", b"/v1/chat/completions", C, K.MESSAGES, True),
        ("POST", b"/api/v1/chat/completions", C, K.MESSAGES, True),
        ("POST", b"/chat/completions", C, K.MESSAGES, False),
        ("POST", b"/v1/completions", C, K.COMPLETIONS, True),
        ("POST", b"/v1/embeddings", C, K.EMBEDDINGS, True),
        ("POST", b"/v1/batches", C, K.BATCH, False),
        ("POST", b"/v1/responses", R, K.MESSAGES, True),
        ("GET", b"/v1/responses/resp_1", R, K.OTHER, False),
        ("POST", b"/v1/responses/resp_1/cancel", R, K.OTHER, False),
        ("POST", b"/v1/responses/compact", R, K.OTHER, False),
        ("POST", b"/v1/responses/input_tokens", R, K.COUNT_TOKENS, True),
        ("POST", b"/backend-api/codex/responses", R, K.MESSAGES, False),
        ("POST", b"/v1beta/models/gemini-2.5-flash:generateContent", G, K.MESSAGES, True),
        ("POST", b"/v1/models/gemini-2.5-flash:streamGenerateContent", G, K.MESSAGES, True),
        ("POST", b"/google/v1beta/models/g:countTokens", G, K.COUNT_TOKENS, True),
        ("POST", b"/v1beta/models/g:batchEmbedContents", G, K.EMBEDDINGS, True),
        ("POST", b"/v1beta/models/g:batchGenerateContent", G, K.BATCH, False),
        ("POST", b"/v1beta/models/g:unheardOf", G, K.OTHER, False),
        ("POST", b"/v1beta/tunedModels/t:generateContent", G, K.MESSAGES, True),
        ("POST", b"/v1/projects/p/locations/l/publishers/google/models/g:generateContent", G, K.MESSAGES, True),
        ("POST", b"/models/gemini-2.5-flash:generateContent", G, K.MESSAGES, False),
        ("POST", b"/x/models/g:generateContent", X, K.OTHER, False),
        ("POST", b"/v1beta/models/g%3AgenerateContent", G, K.MODELS, False),
        ("GET", b"/v1beta/models", G, K.MODELS, False),
        ("GET", b"/v1/models", X, K.MODELS, False),
        ("GET", b"/v1/models/claude-x", X, K.MODELS, False),
        ("POST", b"/api/chat", OL, K.MESSAGES, True),
        ("POST", b"/api/generate", OL, K.MESSAGES, True),
        ("POST", b"/api/embed", OL, K.EMBEDDINGS, True),
        ("GET", b"/api/tags", OL, K.TAGS, False),
        ("POST", b"/api/show", OL, K.OTHER, False),
        ("HEAD", b"/api/hello", X, K.OTHER, False),
        ("POST", b"/v1/files", X, K.OTHER, False),
        ("POST", b"/v1/audio/speech", X, K.OTHER, False),
        ("POST", b"/v1/messages/", A, K.OTHER, False),
        ("POST", b"/v1/%6dessages", X, K.OTHER, False),
        ("POST", b"/v1/messagesx", X, K.OTHER, False),
        ("POST", b"/v2/messages", X, K.OTHER, False),
        ("POST", b"v1/messages", X, K.OTHER, False),
        ("GET", b"/", X, K.OTHER, False),
        ("GET", b"", X, K.OTHER, False),
        ("OPTIONS", b"*", X, K.OTHER, False),
    ],
)
def test_path_names_its_endpoint(
    method: str, path: bytes, dialect: DialectName, kind: EndpointKind, *, is_parsed: bool
) -> None:
    assert classify(method, path) == Endpoint(dialect=dialect, kind=kind, is_parsed=is_parsed)


@pytest.mark.parametrize(
    ("headers", "query", "dialect"),
    [
        (((b"Anthropic-Version", b"2023-06-01"),), b"", A),
        (((b"x-goog-api-key", b"k"),), b"", G),
        (((b"X-Goog-Api-Client", b"genai"),), b"", G),
        ((), b"alt=sse&key=k", G),
        (((b"authorization", b"Bearer k"),), b"", C),
    ],
)
def test_list_of_models_takes_its_dialect_from_the_headers(
    headers: tuple[tuple[bytes, bytes], ...], query: bytes, dialect: DialectName
) -> None:
    assert caller_dialect(classify("GET", b"/v1/models"), headers, query) is dialect


def test_caller_dialect_is_the_path_s_where_the_path_says_it() -> None:
    assert caller_dialect(classify("POST", b"/api/chat"), ((b"anthropic-version", b"x"),), b"") is OL
    assert caller_dialect(classify("POST", b"/nowhere"), (), b"") is X
