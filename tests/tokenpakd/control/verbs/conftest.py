"""A daemon that remembers, and a recorder that writes to its store."""

from pathlib import Path

import pytest

from tests.tokenpakd.control.daemon_double import DaemonDouble
from tokenpakd.storage import migrations
from tokenpakd.storage.connection import open_writer
from tokenpakd.storage.recorder import Recorder


@pytest.fixture
def daemon(tmp_path: Path) -> DaemonDouble:
    return DaemonDouble(tmp_path)


@pytest.fixture
def recorder(daemon: DaemonDouble) -> Recorder:
    connection = open_writer(Path(daemon.database), busy_ms=100)
    migrations.migrate(connection, backup=None)
    connection.close()
    return Recorder(Path(daemon.database), boot_id=daemon.boot_id, worker="w")
