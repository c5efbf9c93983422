"""Answers of a daemon, as the wire carries them."""

from typing import Any

STATUS: dict[str, Any] = {
    "version": "0.1.0", "pid": 4711, "boot_id": "b", "started_unix_ms": 0, "uptime_s": 12_000.5, "generation": 3,
    "mode": "hybrid", "mode_source": "file", "paused": False, "paused_until_unix_ms": None,
    "listening": {
        "http": ["http://127.0.0.1:8766", "http://[::1]:8766"], "websocket": ["ws://127.0.0.1:8767"],
        "control_socket": "/run/t/control.sock",
    },
    "config_file": "/home/u/.config/tokenpak/config.yaml", "log_path": None, "in_flight": 2, "requests_total": 1204,
    "requests_errors": 3, "saved_today_tokens": 182_400, "requests_today": 412,
    "workers": [
        {"name": "data-plane-1", "pid": 4712, "state": "ready", "restarts": 1, "rss_mb": 41.4, "in_flight": 2},
        {"name": "vault", "pid": 4713, "state": "ready", "restarts": 0, "rss_mb": 22.0, "in_flight": 0},
    ],
    "providers": [{"name": "anthropic", "endpoint": "https://api.anthropic.com"}],
    "vault": {"blocks": 0, "indexed_at_unix_ms": None},
    "telemetry": {"state": "ok", "rows_waiting": 0, "rows_lost": 0, "database": "/s/telemetry.db"},
    "last_error": None,
}  # fmt: skip

EXCHANGE: dict[str, Any] = {
    "id": "req_1", "at": 1_000_000_000_000, "model": "claude-opus-4-5", "provider": "anthropic",
    "dialect": "anthropic_messages", "stream": True, "status": 200, "outcome": "ok", "mode": "hybrid",
    "input_tokens": 1240, "sent_input_tokens": 892, "output_tokens": 156, "cost_usd": None, "duration_ms": 2345.6,
    "ttfb_ms": 210.0, "overhead_ms": 1.25, "client": "claude-cli", "error_code": None, "key": 7,
}  # fmt: skip
