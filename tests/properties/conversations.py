"""Conversations of an agent, made up, in every wire format; and what the engine makes of their requests."""

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tokenpakd.compression import engine, registry
from tokenpakd.compression.conversation import Conversation, Settings
from tokenpakd.compression.splice import splice
from tokenpakd.dialects.registry import dialect
from tokenpakd.exchange.request import DialectName, Look
from tokenpakd.tip.modes import Mode

Json = Any


class Turn(NamedTuple):
    """One call of a tool and what came back; `user`: what the user says after it."""

    tool: str
    arguments: dict[str, Json]
    result: str
    is_list: bool = False
    user: str = ""


SYSTEM = "You are a careful agent that works in one repository."
TOOLS = ("bash", "read")
WRITINGS: tuple[dict[str, Json], ...] = (
    {"separators": (",", ":"), "ensure_ascii": False},
    {"separators": (",", ":")},
    {},
    {"separators": (" ,\n", " :\t")},
)
COMPACT = WRITINGS[0]


def anthropic(turns: Sequence[Turn], opening: str = "go") -> Json:
    messages: list[Json] = [{"role": "user", "content": [{"type": "text", "text": opening}]}]
    for number, turn in enumerate(turns):
        call_id = f"toolu_{number}"
        use = {"type": "tool_use", "id": call_id, "name": turn.tool, "input": turn.arguments}
        content = [{"type": "text", "text": turn.result}] if turn.is_list else turn.result
        blocks: list[Json] = [{"tool_use_id": call_id, "type": "tool_result", "content": content}]
        if turn.user:
            blocks.append({"type": "text", "text": turn.user})
        said = [{"type": "text", "text": f"I look. {turn.result[:40]}"}, use]
        messages += ({"role": "assistant", "content": said}, {"role": "user", "content": blocks})
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in TOOLS]
    return {"model": "m", "max_tokens": 1, "system": SYSTEM, "tools": tools, "messages": messages}


def chat(turns: Sequence[Turn], opening: str = "go") -> Json:
    messages: list[Json] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": opening}]
    for number, turn in enumerate(turns):
        function = {"name": turn.tool, "arguments": json.dumps(turn.arguments)}
        content = [{"type": "text", "text": turn.result}] if turn.is_list else turn.result
        messages += (
            {"role": "assistant", "tool_calls": [{"id": f"c{number}", "type": "function", "function": function}]},
            {"role": "tool", "tool_call_id": f"c{number}", "content": content},
        )
        messages += [{"role": "user", "content": turn.user}] if turn.user else []
    tools = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in TOOLS]
    return {"model": "m", "tools": tools, "messages": messages}


def responses(turns: Sequence[Turn], opening: str = "go") -> Json:
    items: list[Json] = [{"role": "user", "content": opening}]
    for number, turn in enumerate(turns):
        output = [{"type": "input_text", "text": turn.result}] if turn.is_list else turn.result
        arguments = json.dumps(turn.arguments)
        items += (
            {"type": "function_call", "call_id": f"c{number}", "name": turn.tool, "arguments": arguments},
            {"type": "function_call_output", "call_id": f"c{number}", "output": output},
        )
        items += [{"role": "user", "content": turn.user}] if turn.user else []
    return {"model": "m", "instructions": SYSTEM, "input": items}


def gemini(turns: Sequence[Turn], opening: str = "go") -> Json:
    contents: list[Json] = [{"role": "user", "parts": [{"text": opening}]}]
    for turn in turns:
        answer = {"functionResponse": {"name": turn.tool, "response": {"output": turn.result}}}
        contents += (
            {"role": "model", "parts": [{"functionCall": {"name": turn.tool, "args": turn.arguments}}]},
            {"role": "user", "parts": [answer, {"text": turn.user}] if turn.user else [answer]},
        )
    return {"systemInstruction": {"parts": [{"text": SYSTEM}]}, "contents": contents}


def ollama(turns: Sequence[Turn], opening: str = "go") -> Json:
    messages: list[Json] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": opening}]
    for turn in turns:
        call = {"function": {"name": turn.tool, "arguments": turn.arguments}}
        messages += (
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_name": turn.tool, "content": turn.result},
        )
        messages += [{"role": "user", "content": turn.user}] if turn.user else []
    return {"model": "m", "messages": messages}


SHAPES: dict[DialectName, Callable[..., Json]] = {
    DialectName.ANTHROPIC: anthropic,
    DialectName.OPENAI_CHAT: chat,
    DialectName.OPENAI_RESPONSES: responses,
    DialectName.GEMINI: gemini,
    DialectName.OLLAMA: ollama,
}


def written(body: Json, how: dict[str, Json] = COMPACT) -> bytes:
    return json.dumps(body, **how).encode("utf-8", "surrogatepass")


def looked(name: DialectName, body: bytes) -> Look:
    return dialect(name).look(body, want_spans=True, path=b"/v1beta/models/m:generateContent")


def settings(mode: Mode = Mode.HYBRID, *, least: int = 0, masked: int = 0) -> Settings:
    """Return what a new conversation of a mode is pinned to; `least`: the smallest prompt that is cached."""
    return Settings(compressors=registry.set_name(mode), min_cacheable_tokens=least, masked_spans=masked)


def outcome(
    name: DialectName, body: bytes, known: Conversation | None = None, how: Settings | None = None
) -> engine.Outcome:
    return engine.compress(body, looked(name, body), known, settings() if how is None else how)


def sent(name: DialectName, body: bytes, known: Conversation | None = None, how: Settings | None = None) -> bytes:
    """Return a request as it goes out."""
    return splice(body, outcome(name, body, known, how).replacements)


# Texts that tools of an agent print, with enough in common that everything the engine does is done.
_FILE = [
    f"{' ' * (4 * (n % 3))}{('def', 'value', 'return')[n % 3]} {word}_{n % 7}(self, {word}):"
    for n, word in enumerate(("load", "dump", "field", "schema", "index", "token") * 8)
]
_NAMES = ("src/app/fields.py", "src/app/schema.py", "README.md", "CLAUDE.md")


def _view(begin: int, size: int, style: int) -> str:
    lines = _FILE[begin : begin + size]
    before = ("", "{n:6}\t", "{n}:", "src/app/fields.py:{n}:", "{later:6}\t")[style]
    return "\n".join(before.format(n=n, later=n + 100) + line for n, line in enumerate(lines, begin + 1))


_LINE = st.one_of(st.sampled_from(_FILE), st.text(max_size=12), st.sampled_from(("", "}", "  ", "\x1b[32mok\x1b[0m")))
_VIEWS = st.builds(_view, st.integers(0, 30), st.integers(2, 20), st.integers(0, 4))
_MIXED = st.lists(_LINE, max_size=12).map("\n".join)
_RECORDS = st.builds(
    lambda rows, indent: json.dumps(rows, indent=indent),
    st.lists(
        st.fixed_dictionaries({"id": st.integers(0, 3), "name": st.sampled_from(_FILE), "price": st.just(1.50)}),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from((None, 2)),
)
_UNITS = st.sampled_from(("line of output\n", 'é "q" \\ \t', "😀/\u2028\x00", "0", "a\ud83db", "50%\r100%\n"))
_REPEATED = st.builds(lambda unit, times: unit * times, _UNITS, st.sampled_from((0, 1, 40, 400)))
RESULTS = st.one_of(
    _VIEWS,
    st.lists(st.one_of(_VIEWS, _MIXED), min_size=1, max_size=3).map("\n".join),
    _MIXED,
    _RECORDS,
    _REPEATED,
)
_ARGUMENTS = st.one_of(
    st.builds(lambda verb, name: {"command": f"{verb} {name}"}, st.sampled_from(("cat", "cat -n", "tail")),
              st.sampled_from(_NAMES)),
    st.builds(lambda name: {"file_path": name}, st.sampled_from(_NAMES)),
    st.builds(lambda name, text: {"file_path": name, "content": text}, st.sampled_from(_NAMES), _VIEWS),
    st.sampled_from(({"command": 'grep -n "é" .'}, {"command": "pytest -q"}, {"path": "."}, {}, {"n": [1.0]},
                     {"file_path": "/x" * 90})),
)  # fmt: skip
TURNS = st.lists(
    st.builds(
        Turn,
        st.sampled_from(TOOLS),
        _ARGUMENTS,
        RESULTS,
        st.booleans(),
        st.one_of(st.just(""), st.just("thanks"), _VIEWS),
    ),
    max_size=7,
)
