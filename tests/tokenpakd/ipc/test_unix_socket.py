import os
import socket
from pathlib import Path

import pytest
import trio

from tokenpakd.ipc import unix_socket
from tokenpakd.ipc.unix_socket import SocketTaken


def test_the_socket_is_private_from_the_start_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with unix_socket.bind(tmp_path / "s"):
            assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600
            assert os.umask(0) == 0  # given back
    finally:
        os.umask(before)


def test_a_left_over_socket_is_replaced(tmp_path: Path) -> None:
    unix_socket.bind(tmp_path / "s").close()
    assert (tmp_path / "s").is_socket()
    with unix_socket.bind(tmp_path / "s"), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "s"))


def test_a_living_socket_is_left_alone(tmp_path: Path) -> None:
    with unix_socket.bind(tmp_path / "s") as first:
        with pytest.raises(SocketTaken, match="another daemon answers"):
            unix_socket.bind(tmp_path / "s")
        inode = (tmp_path / "s").stat().st_ino
        assert first.fileno() > 0
        assert (tmp_path / "s").stat().st_ino == inode


@pytest.mark.parametrize("kind", ["file", "folder", "symlink"])
def test_what_is_no_socket_is_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "s"
    match kind:
        case "file":
            path.write_text("mine")
        case "folder":
            path.mkdir()
        case _:
            unix_socket.bind(tmp_path / "elsewhere").close()
            path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SocketTaken, match="not a socket"):
        unix_socket.bind(path)
    assert os.path.lexists(path)


def test_a_folder_that_is_missing_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(SocketTaken, match="cannot be bound"):
        unix_socket.bind(tmp_path / "missing" / "s")


async def test_the_kernel_names_the_peer(tmp_path: Path) -> None:
    with trio.socket.from_stdlib_socket(unix_socket.bind(tmp_path / "s")) as listener:
        async with await trio.open_unix_socket(tmp_path / "s"):
            peer, _ = await listener.accept()
            async with trio.SocketStream(peer) as stream:
                assert unix_socket.peer_uid(stream) == os.geteuid()
