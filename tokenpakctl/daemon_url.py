"""The address a client on this machine should be pointed at, and how that is known."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tokenpakctl.session import Session

DEFAULT_PORT = 8766


def client_url(session: Session) -> tuple[str, str]:
    """Yield the base URL and where its port comes from: the running daemon, the environment, the file, the default."""
    daemon = session.ask("status")
    if daemon is not None:
        listening = daemon.get("listening")
        urls = listening.get("http") if isinstance(listening, dict) else None
        for url in urls if isinstance(urls, list) else []:
            port = str(url).rpartition(":")[2].rstrip("/")
            if port.isdigit():
                return f"http://localhost:{port}", "the running daemon"
    given = session.environ.get("TOKENPAK_PORT", "")
    if given.isdigit() and 0 < int(given) < 65536:
        return f"http://localhost:{given}", "TOKENPAK_PORT"
    port_in_file = _port_in_file(session)
    if port_in_file is not None:
        return f"http://localhost:{port_in_file}", str(session.paths.config_file)
    return f"http://localhost:{DEFAULT_PORT}", "the default"


def _port_in_file(session: Session) -> int | None:
    """Look for listen.port in the configuration file; what is wrong with the file is the daemon's to say."""
    try:
        text = session.paths.config_file.read_text()
    except (OSError, ValueError):
        return None
    import yaml  # costs 20 ms: only where there is a file and no daemon

    try:
        data: object = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        return None
    listen = data.get("listen") if isinstance(data, dict) else None
    port = listen.get("port") if isinstance(listen, dict) else None
    return port if isinstance(port, int) and not isinstance(port, bool) and 0 < port < 65536 else None
