"""Which user is at the other end."""

import os
import socket
import struct
import sys
from collections.abc import Iterator

import pytest

from tokenpakd.dataplane import peer
from tokenpakd.dataplane.peer import PeerUids, own_uids

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
FAMILIES = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6}


@pytest.fixture(params=sorted(FAMILIES))
def ends(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield the client's end and the accepted one, of either family."""
    family = FAMILIES[request.param]
    try:
        listener = socket.create_server((request.param, 0), family=family)
    except OSError as exc:
        pytest.skip(f"no {request.param} here: {exc}")
    with listener, socket.create_connection(listener.getsockname()[:2]) as client:
        accepted, _ = listener.accept()
        with accepted:
            yield client, accepted


@pytest.fixture
def uids() -> Iterator[PeerUids]:
    found = PeerUids()
    yield found
    found.close()


def test_a_client_of_ours_is_us(uids: PeerUids, ends: tuple[socket.socket, socket.socket]) -> None:
    assert uids.lookup(ends[1]) == os.geteuid()


def test_proc_says_the_same(ends: tuple[socket.socket, socket.socket]) -> None:
    client, accepted = ends
    there, here = accepted.getpeername(), accepted.getsockname()
    assert peer._from_proc(client.family, there, here) == os.geteuid()
    assert peer._from_proc(client.family, (there[0], 1), here) is None


def test_proc_is_read_where_the_kernel_cannot_be_asked(
    monkeypatch: pytest.MonkeyPatch, ends: tuple[socket.socket, socket.socket]
) -> None:
    class NoNetlink(socket.socket):
        def __init__(self, *args: int) -> None:
            raise PermissionError

    monkeypatch.setattr(socket, "socket", NoNetlink)
    blind = PeerUids()
    assert blind.lookup(ends[1]) == os.geteuid()
    blind.close()


def test_many_questions_are_each_answered_for_their_own_connection(uids: PeerUids) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for _ in range(20):
            with socket.create_connection(listener.getsockname()) as client:
                accepted, _ = listener.accept()
                with accepted:
                    assert uids.lookup(accepted) == os.geteuid()
                    assert client.fileno() >= 0


class Netlink:
    """A kernel that answers what it is told."""

    def __init__(self, *answers: bytes | OSError) -> None:
        self.answers = list(answers)
        self.asked: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.asked.append(data)

    def recv(self, size: int) -> bytes:
        answer = self.answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer[:size]

    def close(self) -> None:
        pass


def answer(source: tuple[str, int], target: tuple[str, int], uid: int, *, kind: int = 20) -> bytes:
    """Write an inet_diag_msg."""
    numbers = struct.pack("!HH", source[1], target[1])
    numbers += b"".join(socket.inet_pton(socket.AF_INET, address[0]).ljust(16, b"\0") for address in (source, target))
    body = bytes((socket.AF_INET, 1, 0, 0)) + numbers + bytes(12) + struct.pack("=III", 0, 0, 0)
    body += struct.pack("=II", uid, 7)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 1, 0) + body


SOURCE, TARGET, OTHER = ("127.0.0.1", 4000), ("127.0.0.1", 8766), ("127.0.0.1", 4001)


@pytest.mark.parametrize(
    ("said", "uid"),
    [
        (answer(SOURCE, TARGET, 1234), 1234),
        (answer(OTHER, TARGET, 0), None),
        (answer(TARGET, SOURCE, 0), None),
        (answer(SOURCE, TARGET, 0, kind=2), None),
        (answer(SOURCE, TARGET, 1234)[:60], None),
        (b"", None),
        (TimeoutError(), None),
        (OSError(), None),
    ],
    ids=["own", "of another connection", "of our own end", "an error", "short", "empty", "late", "fault"],
)
def test_only_an_answer_about_this_connection_counts(uids: PeerUids, said: bytes | OSError, uid: int | None) -> None:
    uids.close()
    uids._netlink = Netlink(said)  # type: ignore[assignment]
    assert uids._ask(socket.AF_INET, SOURCE, TARGET) == uid


def test_a_connection_that_is_gone_is_nobodys(uids: PeerUids) -> None:
    with socket.socket() as unconnected:
        assert uids.lookup(unconnected) is None


@pytest.mark.parametrize("asks_kernel", [True, False])
def test_a_client_that_left_before_we_asked_is_not_taken_for_root(
    uids: PeerUids, ends: tuple[socket.socket, socket.socket], asks_kernel: bool
) -> None:
    client, accepted = ends
    source, target = accepted.getpeername(), accepted.getsockname()
    client.close()
    ask = uids._ask if asks_kernel else peer._from_proc
    assert ask(accepted.family, source, target) in (peer.NOBODY, None)


def test_elsewhere_nobody_knows(monkeypatch: pytest.MonkeyPatch, uids: PeerUids) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with socket.socket() as sock:
        assert uids.lookup(sock) is None


def test_we_and_root_need_no_token() -> None:
    assert own_uids() == {os.geteuid(), 0}
