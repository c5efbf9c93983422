import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tokenpakd.demo import children


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_usual_ports_are_left_alone_when_somebody_has_one() -> None:
    with ExitStack() as held:
        listener = held.enter_context(socket.socket())
        with suppress(OSError):  # else somebody has it already, which is as good
            listener.bind(("127.0.0.1", 8767))
            listener.listen()
        ports = children.pick_ports()
    assert len(set(ports)) == 2
    assert not set(ports) & {8766, 8767}


def test_daemon_that_cannot_start_is_named_with_its_last_words(tmp_path: Path, taken: int) -> None:
    os.chmod(tmp_path, 0o700)
    with pytest.raises(children.StartError, match=rf"(?s)exit code 78.*{taken}"):
        children.start_daemon(tmp_path, 1, taken, 0)


def test_provider_ends_when_asked() -> None:
    process, port = children.start_provider()
    assert children.get(port, "/v1/models")[0] == 200
    children.end(process)
    assert process.returncode is not None
    with pytest.raises(ConnectionError):
        children.get(port, "/v1/models")
    children.end(process)  # twice = once
