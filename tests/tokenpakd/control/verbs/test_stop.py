"""Who starts a stopped daemon again."""

import os

import pytest

from tokenpakd.control.verbs.stop import service_manager


@pytest.mark.parametrize(
    ("environ", "manager"),
    [
        ({"NOTIFY_SOCKET": "/run/n", "INVOCATION_ID": "a"}, "systemd"),
        ({"SYSTEMD_EXEC_PID": str(os.getpid())}, "systemd"),
        ({"INVOCATION_ID": "a", "SYSTEMD_EXEC_PID": "1"}, None), ({"XPC_SERVICE_NAME": "0"}, None), ({}, None),
        ({"XPC_SERVICE_NAME": "ai.tokenpak.tokenpakd"}, "launchd"),
    ],
)  # fmt: skip
def test_who_starts_the_daemon_again(environ: dict[str, str], manager: str | None) -> None:
    assert service_manager(environ) == manager
