"""Which ports a client or a service should use: the daemon's, the environment's, the file's, the default ones."""

from pathlib import Path

import pytest

from tests.tokenpakctl.control_double import ControlDouble
from tokenpakctl.daemon_url import client_url, find_ports
from tokenpakctl.session import Session


def _configure(environ: dict[str, str], text: str) -> Path:
    file = Path(environ["TOKENPAK_HOME"]) / "config.yaml"
    file.write_text(text)
    return file


def _found(environ: dict[str, str]) -> tuple[int, int, str]:
    ports = find_ports(Session(environ, as_json=True))
    return ports.http, ports.websocket, ports.source


@pytest.mark.parametrize(
    ("variables", "file", "http", "websocket", "source"),
    [
        ({}, "", 8766, 8767, "the default"),
        ({}, "listen: {port: 9000}", 9000, 9001, "the file"),
        ({}, "listen: {port: 9000, ws_port: 9500}", 9000, 9500, "the file"),
        ({}, "listen: {ws_port: 9500}", 8766, 9500, "the default"),
        ({"TOKENPAK_PORT": "9100"}, "listen: {port: 9000}", 9100, 9101, "TOKENPAK_PORT"),
        ({"TOKENPAK_PORT": "9100", "TOKENPAK_WS_PORT": "9200"}, "", 9100, 9200, "TOKENPAK_PORT"),
        ({"TOKENPAK_WS_PORT": "9200"}, "listen: {port: 9000, ws_port: 9500}", 9000, 9200, "the file"),
        # What is no port is passed over; the daemon says what is wrong with it.
        ({"TOKENPAK_PORT": "0"}, "listen: {port: 9000}", 9000, 9001, "the file"),
        ({"TOKENPAK_PORT": "http"}, "listen: {port: true}", 8766, 8767, "the default"),
        ({"TOKENPAK_PORT": "-1"}, "listen: {port: 65536}", 8766, 8767, "the default"),
        ({"TOKENPAK_PORT": "9" * 5000}, "listen: {port: [1]}", 8766, 8767, "the default"),
    ],
)
def test_without_a_daemon(
    environ: dict[str, str], variables: dict[str, str], file: str, http: int, websocket: int, source: str
) -> None:
    path = _configure(environ, file)
    expected = str(path) if source == "the file" else source
    assert _found({**environ, **variables}) == (http, websocket, expected)


@pytest.mark.parametrize(
    ("listening", "http", "websocket", "source"),
    [
        ({"http": ["http://127.0.0.1:9001", "http://[::1]:9001"], "websocket": ["ws://127.0.0.1:9010"]}, 9001, 9010, 0),
        ({"http": ["http://[::1]:9001/"]}, 9001, 9002, 0),
        ({"http": ["http://localhost", "http://127.0.0.1:9003"], "websocket": ["ws://x"]}, 9003, 9004, 0),
        ({"http": []}, 9100, 9101, 1),
        ({}, 9100, 9101, 1),
    ],
)
def test_the_running_daemon_knows_best(
    environ: dict[str, str], daemon: ControlDouble, listening: object, http: int, websocket: int, source: int
) -> None:
    daemon.answers["status"] = {"listening": listening}
    expected = ("the running daemon", "TOKENPAK_PORT")[source]
    assert _found({**environ, "TOKENPAK_PORT": "9100"}) == (http, websocket, expected)


def test_clients_get_the_name_that_both_families_answer_to(environ: dict[str, str]) -> None:
    assert client_url(Session(environ, as_json=True)) == ("http://localhost:8766", "the default")
