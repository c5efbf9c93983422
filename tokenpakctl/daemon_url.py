"""The address a client on this machine should be pointed at, and how that is known."""

from __future__ import annotations

from tokenpakctl.config_file import value
from tokenpakctl.render import View

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tokenpakctl.session import Session

DEFAULT_PORT = 8766


class Ports:
    """The two ports, and where the first one comes from: the running daemon, the environment, the file, the default."""

    __slots__ = ("http", "source", "websocket")

    def __init__(self, http: int, websocket: int | None, source: str) -> None:
        self.http = http
        self.websocket = websocket or http + 1
        self.source = source


def client_url(session: Session) -> tuple[str, str]:
    """Yield the base URL and where its port comes from."""
    ports = find_ports(session)
    return f"http://localhost:{ports.http}", ports.source


def find_ports(session: Session) -> Ports:
    """Yield the ports that a client should use, or that a service should hold."""
    daemon = session.ask("status")
    if daemon is not None:
        listening = View(daemon).view("listening")
        http, websocket = _first_port(listening.texts("http")), _first_port(listening.texts("websocket"))
        if http is not None:
            return Ports(http, websocket, "the running daemon")
    file = session.paths.config_file
    file_http, file_websocket = (_port(value(file, "listen", name)) for name in ("port", "ws_port"))
    websocket = _port(session.environ.get("TOKENPAK_WS_PORT")) or file_websocket
    given = _port(session.environ.get("TOKENPAK_PORT"))
    if given is not None:
        return Ports(given, websocket, "TOKENPAK_PORT")
    if file_http is not None:
        return Ports(file_http, websocket, str(file))
    return Ports(DEFAULT_PORT, websocket, "the default")


def _first_port(urls: list[str]) -> int | None:
    return next((port for url in urls if (port := _port(url.rpartition(":")[2].rstrip("/")))), None)


def _port(given: object) -> int | None:
    if isinstance(given, str) and given.isdecimal() and len(given) <= 5:
        given = int(given)
    return given if isinstance(given, int) and not isinstance(given, bool) and 0 < given < 65536 else None
