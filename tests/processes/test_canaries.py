"""No key and no word of a prompt is found anywhere afterwards: log, store, endpoints, control replies, any file."""

import base64
import json
from pathlib import Path
from urllib.parse import quote

from tests.playbook.daemon import Running, start_daemon
from tests.playbook.raw_client import RawClient, ask
from tests.playbook.scripted_provider import ScriptedProvider
from tests.playbook.scripted_wire import Reply

KEY = "sk-ant-api03-CaNaRyKeY+7/9=xQ"
WORD = "CaNaRyWoRd ~ of a prompt"
ANSWER = "CaNaRyAnSwEr / said upstream"
QUERY_KEY = quote(KEY, safe="")
JSON_TYPE = ("content-type", "application/json")
ENDPOINTS = ("/health", "/stats", "/stats/last", "/recent?limit=1000", "/metrics")
VERBS = (
    ["status"], ["stats"], ["recent"], ["tail"], ["config"], ["config", "explain", "egress.proxy"], ["providers"],
    ["models"], ["doctor"], ["logs", "-n", "100000"], ["version"],
)  # fmt: skip


def forms(secret: str) -> set[bytes]:
    """Every way in which a secret could have been written down: plain, quoted, escaped, base64 at any alignment."""
    raw = secret.encode()
    found = {raw, quote(secret, safe="").encode(), json.dumps(secret)[1:-1].encode(), raw.hex().encode(), raw[-12:]}
    for shift in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(bytes(shift) + raw)[4:-4])
    return found


def leaks(content: bytes) -> list[bytes]:
    lowered = content.lower()  # names of headers and hosts are written in lower case
    return [form for secret in (KEY, WORD, ANSWER) for form in forms(secret) if form.lower() in lowered]


def requests() -> list[tuple[str, list[tuple[str, str]], bytes]]:
    """All wires, streamed and not, with the key wherever a client may put it, and bodies that cannot be read."""
    said = [{"role": "user", "content": WORD}]
    system = [{"type": "text", "text": WORD, "cache_control": {"type": "ephemeral"}}]
    tools = [{"name": "look", "description": WORD, "input_schema": {"type": "object"}}]
    claude = {"model": "claude-sonnet-4-5", "max_tokens": 9, "system": system, "tools": tools, "messages": said}
    gemini = {"contents": [{"role": "user", "parts": [{"text": WORD}]}]}
    bearer, wanted = ("Authorization", f"Bearer {KEY}"), ("x-api-key", KEY)
    found = []
    for stream in (False, True):
        found += [
            ("/v1/messages", [wanted, ("cookie", KEY)], json.dumps(claude | {"stream": stream}).encode()),
            ("/v1/chat/completions", [bearer], _openai(messages=said, stream=stream)),
            ("/v1/responses", [bearer], _openai(input=WORD, stream=stream)),
            ("/api/chat", [bearer], json.dumps({"model": "llama3", "messages": said, "stream": stream}).encode()),
        ]
    google = "/v1beta/models/gemini-2.5-pro:"
    found += [
        (f"{google}generateContent?key={QUERY_KEY}", [], json.dumps(gemini).encode()),
        (f"{google}streamGenerateContent?alt=sse", [("x-goog-api-key", KEY)], json.dumps(gemini).encode()),
        ("/v1/messages/count_tokens", [wanted], json.dumps(claude).encode()),
        ("/v1/messages", [wanted], json.dumps(claude | {"model": "claude-error-400"}).encode()),
        ("/v1/messages", [wanted], json.dumps(claude | {"model": "claude-cut", "stream": True}).encode()),
        ("/v1/messages", [wanted], b'{"model": "claude-sonnet-4-5", "messages": "' + WORD.encode()),  # no JSON
        ("/v1/messages", [wanted, ("x-tokenpak-mode", KEY)], json.dumps(claude).encode()),
        ("/v1/messages", [wanted, ("x-tokenpak-route", KEY)], json.dumps(claude).encode()),
        ("/v1/messages", [wanted, ("x-tokenpak-token", KEY), ("x-tokenpak-user", KEY)], json.dumps(claude).encode()),
        ("/v1/messages", [wanted, ("user-agent", KEY), ("originator", KEY)], json.dumps(claude).encode()),
        ("/v1/messages", [wanted, ("origin", f"https://{KEY}.example")], json.dumps(claude).encode()),
        (f"/v1/files?key={QUERY_KEY}", [wanted], WORD.encode()),
        (f"/v1/unheard-of?token={QUERY_KEY}", [bearer], WORD.encode()),
    ]
    return found


def _openai(**more: object) -> bytes:
    return json.dumps({"model": "gpt-5", **more}).encode()


def everything_kept(daemon: Running) -> dict[str, bytes]:
    """All that an onlooker could read afterwards, by where it was found."""
    found = {target: daemon.get(target)[1] for target in ENDPOINTS}
    for row in json.loads(found["/recent?limit=1000"])["requests"]:
        found[f"/trace/{row['id']}"] = daemon.get(f"/trace/{row['id']}")[1]
        found[f"trace {row['id']}"] = daemon.control("trace", row["id"], "--json").stdout.encode() if _odd(row) else b""
    for verb in VERBS:
        for form in ([], ["--json"]):
            said = daemon.control(*verb, *form)
            found[" ".join(verb + form)] = said.stdout.encode() + said.stderr.encode()
    found["log"] = daemon.log.encode()
    for path in daemon.home.rglob("*"):
        if path.is_file() and path.name != "config.yaml":
            found[path.name] = path.read_bytes()
    return found


def _odd(row: dict[str, object]) -> bool:
    return row["outcome"] != "ok"


def test_a_canary_would_be_found() -> None:
    for secret in (KEY, WORD, ANSWER):
        assert leaks(f'{{"note": "it said {secret}"}}'.encode())
        assert leaks(base64.b64encode(f"user:{secret}!".encode()))


def test_neither_key_nor_prompt_nor_answer_is_kept_anywhere(tmp_path: Path) -> None:
    with ScriptedProvider() as provider:
        dead = "http://127.0.0.1:1"
        endpoints: dict[str, str] = dict.fromkeys(("anthropic", "openai", "gemini", "ollama"), provider.url)
        providers = endpoints | {"acme": {"dialect": "openai_chat", "endpoint": dead}}
        proxy = {"HTTPS_PROXY": f"http://user:{QUERY_KEY}@127.0.0.1:1"}
        with start_daemon(tmp_path, providers, {"log_level": "debug"}, proxy) as daemon:
            for target, headers, body in requests():
                ask(daemon.port, target, method="POST", headers=[*headers, JSON_TYPE], body=body)
            failing = Reply(500, (JSON_TYPE,), json.dumps({"error": {"message": ANSWER, "echo": KEY}}).encode())
            provider.answer_next(failing, failing)
            target, headers, body = requests()[0]
            for dead_end in ([], [("x-tokenpak-route", "openai")], [("x-tokenpak-route", "acme")]):
                ask(daemon.port, target, method="POST", headers=[*headers, JSON_TYPE, *dead_end], body=body)
            with RawClient(daemon.port) as client:
                client.send(f"GET /{KEY} HTTP/1.1\r\nHost: {KEY}\r\nX: {KEY}\x00\r\n\r\n".encode())
                client.everything()
            assert any(KEY in value for seen in provider.seen for _, value in seen.headers)
            found = everything_kept(daemon)
            assert len(json.loads(found["/recent?limit=1000"])["requests"]) >= 20
            daemon.stop()
            found["log"] = daemon.log.encode()
        assert {place: leaks(content) for place, content in found.items() if leaks(content)} == {}


TEXT = "CaNaRyTeXt"
TOOL = "CaNaRyTool"
LABEL = "CaNaRyLabel"
VALUE = "CaNaRyValue"
MARKS = (TEXT, TOOL, LABEL, VALUE)


def session(turns: int, opening: str) -> bytes:
    """Return a request of an agent in which every compressor has something to do."""
    file = "\n".join(f"src/{TEXT}_{n}.py:{n}: def {TEXT}_{n}(self): return {n}" for n in range(60))
    record = {"user": {"name": VALUE * 9, "legs": [{"from": VALUE, "to": TEXT, "n": n} for n in range(6)]}, VALUE: "x"}
    log = "\n".join(f"2024-05-01 10:00:{n % 60:02} INFO {TEXT} request {n} was served" for n in range(90))
    results = [
        file,
        "\x1b[32m" + file,
        json.dumps(record, indent=2),
        json.dumps({**record, "n": 1}),
        log,
        "word\n" * 90,
    ]
    messages: list[dict[str, object]] = [{"role": "user", "content": f"{opening}\n{file}"}]
    for turn in range(turns):
        command = {"command": f"cat {LABEL}_{turn % 4}/{LABEL}.py", "id": VALUE}
        call = {"type": "tool_use", "id": f"toolu_{turn}", "name": f"{TOOL}_{turn % 3}", "input": command}
        result = {"type": "tool_result", "tool_use_id": f"toolu_{turn}", "content": results[turn % len(results)]}
        messages += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    system = [{"type": "text", "text": TEXT, "cache_control": {"type": "ephemeral"}}]
    return json.dumps({"model": "claude-sonnet-4-5", "max_tokens": 8, "system": system, "messages": messages}).encode()


def test_a_compressed_conversation_leaves_none_of_its_words(tmp_path: Path) -> None:
    settings = {"log_level": "debug", "compression": {"masking": True, "observe": True}}
    with (
        ScriptedProvider() as provider,
        start_daemon(tmp_path, {"anthropic": provider.url}, settings) as daemon,
    ):
        for mode in ("hybrid", "aggressive", "strict"):
            for turns in (4, 6, 9, 16, 17):
                headers = [("x-api-key", "k"), ("x-tokenpak-mode", mode), JSON_TYPE]
                ask(daemon.port, "/v1/messages", method="POST", headers=headers, body=session(turns, mode))
        odd = session(9, "odd").replace(b'"content": "word', b'"content": "\\ud83d word').replace(b"INFO", b"\\u0000")
        ask(daemon.port, "/v1/messages", method="POST", headers=[("x-api-key", "k"), JSON_TYPE], body=odd)
        found = everything_kept(daemon)
        rows = json.loads(found["/recent?limit=1000"])["requests"]
        assert len(rows) == 16
        for row in rows:
            for form in ([], ["--json"]):
                for verb in ("explain", "trace"):
                    said = daemon.control(verb, row["id"], *form)
                    found[" ".join((verb, row["id"], *form))] = said.stdout.encode() + said.stderr.encode()
        for asked in (["savings"], ["savings", "--json"], ["savings", "--by", "arm", "--json"]):
            said = daemon.control(*asked)
            found[" ".join(asked)] = said.stdout.encode() + said.stderr.encode()
        told = b"".join(content for place, content in found.items() if place.startswith("explain"))
        for compressor in (b"lines", b"wholes", b"columns", b"values", b"terminal"):
            assert compressor in told
        daemon.stop()
        found["log"] = daemon.log.encode()
    assert {
        place: mark
        for place, content in found.items()
        for mark in MARKS
        for form in forms(mark)
        if form.lower() in content.lower()
    } == {}
