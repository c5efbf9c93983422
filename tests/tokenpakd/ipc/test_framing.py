import msgspec
import pytest

from tokenpakd.ipc.framing import LineSplitter, LocalProtocolError, RemoteProtocolError, encode
from tokenpakd.ipc.worker_api import Applied, Drain, FromWorker, Ready, ToWorker

TEXT = b'{"a":1}\n\n  \n{"b":"\xc3\xa9"}\r\n{"c":3}\n{"tail'
LINES = [b'{"a":1}', b'{"b":"\xc3\xa9"}\r', b'{"c":3}']


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 2, 7, len(TEXT)])
def test_lines_are_the_same_however_they_arrive(size: int) -> None:
    splitter, lines = LineSplitter(100), []
    for piece in cut(TEXT, size):
        lines += splitter.feed(piece)
    assert lines == LINES
    assert splitter.held_bytes == len(b'{"tail')
    assert splitter.feed(b'":1}\n') == [b'{"tail":1}']


@pytest.mark.parametrize("size", [1, 11, 64])
@pytest.mark.parametrize("ending", [b"", b"\n"])
def test_a_line_over_the_limit_is_refused_with_or_without_its_end(size: int, ending: bytes) -> None:
    splitter = LineSplitter(10)
    assert splitter.feed(b"0123456789\n") == [b"0123456789"]

    def feed_all() -> None:
        for piece in cut(b"0123456789a" + ending, size):
            splitter.feed(piece)

    with pytest.raises(RemoteProtocolError, match="over 10 bytes"):
        feed_all()


def test_messages_come_back_as_they_went() -> None:
    to_worker, from_worker = msgspec.json.Decoder(ToWorker), msgspec.json.Decoder(FromWorker)
    assert to_worker.decode(encode(Drain(deadline_s=2.5))) == Drain(deadline_s=2.5)
    assert [from_worker.decode(encode(message)) for message in (Ready(generation=1), Applied(generation=2))] == [
        Ready(generation=1),
        Applied(generation=2),
    ]


def test_a_message_over_the_limit_is_not_sent() -> None:
    with pytest.raises(LocalProtocolError):
        encode(Drain(deadline_s=1.0), limit_bytes=10)
