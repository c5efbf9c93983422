"""The schema says of every key what an operator needs, and says it once."""

import msgspec

from tokenpakd.config.schema import Config, key_named, keys
from tokenpakd.config.sections import Listen, Section


def test_every_key_says_what_it_does() -> None:
    assert not [key.name for key in keys() if not key.description or not key.type]
    assert len({key.name for key in keys()}) == len(keys())


def test_has_the_published_defaults() -> None:
    config = Config()
    published = {
        "listen.address": "127.0.0.1", "listen.port": 8766, "listen.max_connections": 512, "listen.max_body_mb": 64,
        "workers": 1, "mode": "hybrid", "request_timeout": 300, "log_level": "info", "log_format": "auto",
        "database": None, "compression.enabled": True, "compression.observe": True, "compression.holdout": 0.0,
        "compression.masking": False,
        "context_check": True, "routing.primary": None, "retry.attempts": 1, "retry.deadline_s": 60, "retry.hold_s": 5,
        "breaker.failures": 5, "breaker.window_s": 60, "breaker.ratio": 0.5, "breaker.open_s": 15,
        "breaker.max_open_s": 300, "resend.adopt_s": 0, "cache.exact.ttl_s": 3600, "cache.exact.max_mb": 64,
        "cache.exact.when": "deterministic", "cache.semantic.enabled": False, "cache.semantic.ttl_s": 300,
        "cache.markers": "auto", "cache.backend": "memory", "cost_control.warn_at": 0.8, "cost_control.day": "local",
        "gate.mode": "shadow", "gate.responses": False, "vault.inject": True, "vault.budget_tokens": 2200,
        "vault.min_score": 0.6, "vault.min_prompt_tokens": 0,
    }  # fmt: skip
    for name, value in published.items():
        found: object = config
        for part in name.split("."):
            found = getattr(found, part)
        assert found == value, name


def test_travels_to_a_worker_and_back() -> None:
    config = Config(listen=Listen(port=1, hosts=("a",)))
    assert msgspec.json.decode(msgspec.json.encode(config), type=Config) == config


def test_every_section_is_frozen_and_refuses_unknown_keys() -> None:
    sections = Section.__subclasses__()
    assert len(sections) > 20
    for section in sections:
        assert section.__struct_config__.frozen, section
        assert section.__struct_config__.forbid_unknown_fields, section


def test_finds_the_declaration_of_a_key() -> None:
    cases = {
        "listen.port": "listen.port",
        "providers.acme.endpoint": "providers.NAME.endpoint",
        "providers.acme": "providers",
        "routing.strategies[3].weight": "routing.strategies[].weight",
        "routing.fallback[0]": "routing.fallback",
        "limits.model.gpt-4.1": "limits.model",
        "listen": None,
        "nobody": None,
    }
    found = {name: key_named(name) for name in cases}
    assert {name: key and key.name for name, key in found.items()} == cases


def test_what_needs_a_new_daemon_is_what_the_supervisor_holds() -> None:
    assert [key.name for key in keys() if key.apply == "daemon"] == [
        "listen.address",
        "listen.port",
        "listen.ws_port",
        "database",
    ]
