"""Door: the listening sockets. The supervisor holds them for its whole life; workers inherit the fds.

Both loopback families are always bound: `localhost` means ::1 first on most systems, and whoever listens there
in our place would be sent every key.
"""

import errno
import ipaddress
import os
import socket
from collections.abc import Iterable, Mapping

import msgspec

from tokenpakd.supervision.port_owner import describe_owner

BACKLOG = 512  # while no worker is alive, clients queue here
FIRST_HANDED_FD = 3
PORT_PICKS = 50


class CannotListen(Exception):
    """A port is taken or an address cannot be bound; the text names who has it, where the system says."""


class PortTaken(CannotListen):
    """Somebody else listens there."""


class Listeners(msgspec.Struct, frozen=True, kw_only=True):
    """Sockets by purpose. `handed` means the service manager owns them and keeps them after us."""

    http: tuple[socket.socket, ...]
    websocket: tuple[socket.socket, ...]
    handed: bool = False
    missing_ipv6: bool = False

    @property
    def http_fds(self) -> tuple[int, ...]:
        """The fds a data-plane worker serves HTTP on."""
        return tuple(held.fileno() for held in self.http)

    @property
    def websocket_fds(self) -> tuple[int, ...]:
        """The fds a data-plane worker serves WebSocket on."""
        return tuple(held.fileno() for held in self.websocket)

    @property
    def http_port(self) -> int:
        """The port HTTP is really on; 0 only before anything is bound."""
        return _port(self.http[0])

    @property
    def websocket_port(self) -> int:
        """The port WebSocket is really on; 0 where there is none."""
        return _port(self.websocket[0]) if self.websocket else 0

    def addresses(self) -> list[str]:
        """List the addresses that are bound."""
        return [str(held.getsockname()[0]) for held in (*self.http, *self.websocket)]

    def urls(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Yield where HTTP and WebSocket are, as URLs without a path."""
        return tuple(_url("http", held) for held in self.http), tuple(_url("ws", held) for held in self.websocket)

    def close(self) -> None:
        """Close our copies; a port is free once the workers closed theirs."""
        for held in (*self.http, *self.websocket):
            held.close()


def is_loopback(address: str) -> bool:
    """Say whether a configured bind address stays on this machine."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def bind(address: str, http_port: int, websocket_port: int) -> Listeners:
    """Bind both purposes on both loopback families, and on `address` where that is another one.

    Port 0 picks a free one, the same for every family.

    Raises:
      CannotListen: taken, or not an address of this machine.
    """
    addresses = _addresses(address)
    http: list[socket.socket] = []
    try:
        http = _bind_all(addresses, http_port)
        websocket = _bind_all(addresses, websocket_port)
    except CannotListen:
        for held in http:
            held.close()
        raise
    has_ipv6 = any(held.family == socket.AF_INET6 for held in http)
    return Listeners(http=tuple(http), websocket=tuple(websocket), missing_ipv6=not has_ipv6)


def adopt(environ: Mapping[str, str], http_port: int, websocket_port: int) -> Listeners | None:
    """Take over the sockets of systemd's socket activation; None when there are none for us.

    Told apart by FileDescriptorName `http` and `ws`; where a name is missing, by the configured port.

    Raises:
      CannotListen: an fd is no listening stream socket, or none of them is for HTTP.
    """
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    count = environ.get("LISTEN_FDS", "")
    if not count.isdigit() or int(count) == 0:
        return None
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    found: dict[str, list[socket.socket]] = {"http": [], "ws": []}
    for position in range(int(count)):
        held = _adopt_one(FIRST_HANDED_FD + position)
        name = names[position] if position < len(names) else ""
        purpose = name if name in found else {http_port: "http", websocket_port: "ws"}.get(_port(held), "")
        if not purpose:
            raise CannotListen(
                f"socket {_url('tcp', held)} of the service manager is named {name!r}: "
                "use FileDescriptorName=http or ws, or the configured ports. Look at tokenpakd.socket."
            )
        found[purpose].append(held)
    if not found["http"]:
        raise CannotListen("the service manager handed over no http socket. Look at tokenpakd.socket.")
    websocket = found["ws"] or _bind_all(_addresses("127.0.0.1"), websocket_port)
    has_ipv6 = any(held.family == socket.AF_INET6 for held in found["http"])
    return Listeners(http=tuple(found["http"]), websocket=tuple(websocket), handed=True, missing_ipv6=not has_ipv6)


def _addresses(address: str) -> tuple[str, ...]:
    if address in ("localhost", "127.0.0.1", "::1"):
        return "127.0.0.1", "::1"
    # A wildcard contains the loopback of its family, which could not be bound beside it.
    if address == "0.0.0.0":
        return "0.0.0.0", "::1"
    if address == "::":
        return "127.0.0.1", "::"
    return "127.0.0.1", "::1", address


def _bind_all(addresses: Iterable[str], port: int) -> list[socket.socket]:
    for _ in range(PORT_PICKS):
        bound: list[socket.socket] = []
        chosen = port
        try:
            for address in addresses:
                held = _bind_one(address, chosen)
                if held is not None:
                    bound.append(held)
                    chosen = _port(held)
        except CannotListen as error:
            for held in bound:
                held.close()
            if port == 0 and isinstance(error, PortTaken):
                continue  # free in one family and taken in the other: pick again
            raise
        return bound
    raise CannotListen(f"no port is free on all of {', '.join(addresses)}")


def _bind_one(address: str, port: int) -> socket.socket | None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    held: socket.socket | None = None
    try:
        held = socket.socket(family, socket.SOCK_STREAM)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        held.setblocking(False)
        held.bind((address, port))
        held.listen(BACKLOG)
        return held
    except OSError as error:
        if held is not None:
            held.close()
        if address == "::1" and error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            return None  # no IPv6 on this machine: nobody else can listen there either
        shown = f"[{address}]:{port}" if family == socket.AF_INET6 else f"{address}:{port}"
        if error.errno == errno.EADDRINUSE:
            text = f"{shown} is taken by {describe_owner(port)}. Stop it, or choose another with --port."
            raise PortTaken(text) from error
        raise CannotListen(f"{shown} cannot be bound: {error.strerror}. Look at listen.address.") from error


def _adopt_one(fd: int) -> socket.socket:
    try:
        held = socket.socket(fileno=fd)
        listens = held.type == socket.SOCK_STREAM and held.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise CannotListen(f"fd {fd} of the service manager is no socket. Look at tokenpakd.socket.") from error
    if not listens or held.family not in (socket.AF_INET, socket.AF_INET6):
        held.detach()
        raise CannotListen(f"fd {fd} of the service manager is no listening TCP socket. Look at tokenpakd.socket.")
    held.set_inheritable(False)
    held.setblocking(False)
    return held


def _port(held: socket.socket) -> int:
    return int(held.getsockname()[1])


def _url(scheme: str, held: socket.socket) -> str:
    host, port = held.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if held.family == socket.AF_INET6 else f"{scheme}://{host}:{port}"
