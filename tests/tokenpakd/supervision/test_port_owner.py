"""A /proc of our own making; and the real one, where there is one."""

import os
import socket
from pathlib import Path

import pytest

from tokenpakd.supervision.port_owner import describe_owner

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
ROW = (
    "   0: {address}:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 {uid:5} 0 {inode} 1 0 0\n"
)
V4, V6 = "0100007F", "00000000000000000000000001000000"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "net").mkdir()
    (tmp_path / "self").mkdir()
    return tmp_path


def _table(proc: Path, name: str, *rows: str) -> None:
    (proc / "net" / name).write_text(HEAD + "".join(rows))


def _row(port: int, inode: int, *, state: str = "0A", address: str = V4, uid: int = 1000) -> str:
    return ROW.format(address=address, port=port, state=state, uid=uid, inode=inode)


def _process(proc: Path, pid: int, name: bytes | None, *sockets: int) -> None:
    (proc / str(pid) / "fd").mkdir(parents=True)
    for number, inode in enumerate(sockets):
        (proc / str(pid) / "fd" / str(number)).symlink_to(f"socket:[{inode}]")
    if name is not None:
        (proc / str(pid) / "comm").write_bytes(name)


def test_names_uid_pid_and_program(proc: Path) -> None:
    _table(proc, "tcp", _row(22, 10, uid=0), _row(8766, 11, state="01"), _row(8766, 12))
    _process(proc, 70, b"client\n", 11)
    _process(proc, 71, b"nc\n", 3, 12)
    assert describe_owner(8766, proc) == "uid 1000, pid 71 (nc)"


def test_finds_who_listens_on_ipv6_alone(proc: Path) -> None:
    _table(proc, "tcp6", _row(8766, 12, address=V6, uid=5))
    _process(proc, 71, b"nc\n", 12)
    assert describe_owner(8766, proc) == "uid 5, pid 71 (nc)"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"caf\xc3\xa9\n", "café"),
        (b"\xff\xfe\n", "��"),
        (b"a\x1b[2Jb\nc\n", "a�[2Jb�c"),
    ],
)
def test_a_name_of_any_bytes_is_made_harmless(proc: Path, name: bytes, shown: str) -> None:
    _table(proc, "tcp", _row(8766, 12))
    _process(proc, 71, name, 12)
    assert describe_owner(8766, proc) == f"uid 1000, pid 71 ({shown})"


def test_leaves_out_what_cannot_be_found(proc: Path) -> None:
    assert describe_owner(8766, proc) == "another process"
    _table(proc, "tcp", _row(8766, 12))
    assert describe_owner(8766, proc) == "uid 1000"
    _process(proc, 71, None, 12)
    assert describe_owner(8766, proc) == "uid 1000, pid 71"
    assert describe_owner(8767, proc) == "another process"
    assert describe_owner(8766, proc / "missing") == "another process"


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="looks at our own socket through /proc")
def test_finds_this_very_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        said = describe_owner(server.getsockname()[1])
    assert said.startswith(f"uid {os.geteuid()}, pid {os.getpid()} (")
