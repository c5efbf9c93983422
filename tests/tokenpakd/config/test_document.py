"""The YAML door: bounded, strict, and nothing but problems comes out of a bad text."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenpakd.config.document import MAX_BYTES, key_text, parse
from tokenpakd.config.load import ConfigError, load
from tokenpakd.config.schema import Config

_SAMPLE = """\
listen: {address: 127.0.0.1, port: 8766, hosts: [a.example]}
mode: hybrid   # a comment
routing:
  fallback: openai
  strategies:
    - {provider: acme, models: ["gpt-*", 'o*'], weight: 80}
providers:
  acme: {dialect: openai_chat, endpoint: "https://acme.example", auth: {header: api-key, secret: acme}}
limits: {peer: {requests_per_minute: 60}}
gate: {mode: off, terms: [|-
    block
  ]}
""".replace("[|-\n    block\n  ]", '["block"]')


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("~", None),
        ("", None),
        ("true", True),
        ("on", "on"),
        ("no", "no"),
        ("12", 12),
        ("010", 10),
        ("0x10", "0x10"),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("1e3", 1000.0),
        (".5", 0.5),
        (".nan", ".nan"),
        ('"12"', "12"),
        ("1_000", "1_000"),
    ],
)
def test_reads_scalars_as_yaml_1_2_does(text: str, value: object) -> None:
    found = parse(f"a: {text}".encode(), "f")
    assert found.data == {"a": value}
    assert type(found.data["a"]) is type(value)
    assert not found.problems


def test_knows_the_line_of_every_key() -> None:
    lines = parse(_SAMPLE.encode(), "f").lines
    assert lines["mode",] == 2
    assert lines["routing", "strategies", 0, "weight"] == 6
    assert lines["providers", "acme", "auth", "secret"] == 8


def test_a_bomb_of_aliases_is_refused_at_its_first_anchor() -> None:
    bomb = 'a: &a ["x"]\n' + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
    )
    (problem,) = parse(bomb.encode(), "f").problems
    assert (problem.line, problem.reason) == (1, "anchors and aliases are not allowed")


@pytest.mark.parametrize("raw", [b"[" * 100_000, b"{a: " * 60_000, b"- " * 100_000, b"? " * 100_000])
def test_depth_is_bounded(raw: bytes) -> None:
    (problem,) = parse(raw, "f").problems
    assert "levels deep" in problem.reason


@pytest.mark.parametrize(
    ("raw", "line", "reason"),
    [
        (b"x" * (MAX_BYTES + 1), 1, "longer than"),
        (b"a: 1\nb: \xff", 2, "not UTF-8"),
        (b"a: 1\nb: \x00", 2, "U+0000"),
        (b'a: "\\U99999999"', 1, "not YAML"),
        (b"a: 1\n--- \nb: 2", 2, "not YAML"),
    ],
)
def test_says_what_is_wrong_with_the_text(raw: bytes, line: int, reason: str) -> None:
    (problem,) = parse(raw, "f").problems
    assert problem.line == line
    assert reason in problem.reason


def test_takes_a_byte_order_mark() -> None:
    assert parse(b"\xef\xbb\xbfmode: strict", "f").data == {"mode": "strict"}


def test_writes_places_as_people_do() -> None:
    assert key_text(("routing", "strategies", 0, "provider")) == "routing.strategies[0].provider"


def _load_or_refuse(folder: Path, raw: bytes) -> None:
    file = folder / "config.yaml"
    file.write_bytes(raw)
    try:
        config = load(file, {"HOME": str(folder)}, {}).config
    except ConfigError as exc:
        str(exc).encode()
        return
    assert msgspec.json.decode(msgspec.json.encode(config), type=Config) == config


_cuts = st.tuples(st.integers(0, len(_SAMPLE)), st.integers(0, 12), st.sampled_from(
    ["", "\n", "  ", ":", "- ", "{", "}", "[", "]", '"', "'", "&a", "*a", "!!x", "|", ">", "?", "%", "@", "\t", "\\",
     "null", "-1", "9" * 40, "1e999", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "é", "\x7f", "#"]
))  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(_cuts, min_size=1, max_size=4))
def test_a_mutated_file_raises_nothing_but_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[tuple[int, int, str]]
) -> None:
    text = _SAMPLE
    for start, length, instead in cuts:
        text = text[:start] + instead + text[start + length :]
    _load_or_refuse(tmp_path_factory.getbasetemp(), text.encode())


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_raise_nothing_but_a_config_error(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    _load_or_refuse(tmp_path_factory.getbasetemp(), raw)


_sections = st.sampled_from(
    ["listen", "mode", "providers", "routing", "limits", "gate", "cache", "workers", "pricing", "egress"]
)
_plain = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)
_names = st.sampled_from(
    ["port", "openai", "peer", "mode", "exact", "endpoint", "strategies", "match", "overrides", "proxy"]
) | st.text(max_size=5)
_values = st.recursive(
    _plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3), max_leaves=8
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(_sections, _values, max_size=4))
def test_any_data_raises_nothing_but_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, object]
) -> None:
    _load_or_refuse(tmp_path_factory.getbasetemp(), json.dumps(data).encode())
