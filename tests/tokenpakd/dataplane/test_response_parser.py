"""Responses fed whole, byte by byte, and with a tail."""

import pytest

from tokenpakd.dataplane.response_parser import ResponseParser
from tokenpakd.exchange.faults import Cut, Garbled

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX-T: 1\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + PLAIN
CLOSED = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello world"
CASES = {
    "length": (PLAIN, b"hello"),
    "chunked": (CHUNKED, b"hello world"),
    "interim": (INTERIM, b"hello"),
    "empty": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
}


def parser() -> ResponseParser:
    return ResponseParser(is_head_request=False)


@pytest.mark.parametrize("name", CASES)
def test_reads_a_response_whole_and_byte_by_byte(name: str) -> None:
    data, expected = CASES[name]
    whole = parser()
    assert whole.feed(data) == expected
    assert whole.is_complete
    assert whole.keeps_alive
    single = parser()
    assert b"".join(single.feed(data[at : at + 1]) for at in range(len(data))) == expected
    assert single.is_complete
    assert single.headers == whole.headers


def test_joins_what_one_read_brought() -> None:
    assert parser().feed(CHUNKED) == b"hello world"


def test_keeps_names_as_sent_and_forgets_interim_fields() -> None:
    response = parser()
    response.feed(INTERIM)
    assert response.headers == [(b"Content-Length", b"5"), (b"X-A", b"b")]
    assert response.status == 200


def test_a_response_without_framing_ends_with_the_connection() -> None:
    response = parser()
    assert response.feed(CLOSED) == b"hello world"
    assert not response.is_complete
    response.feed_eof()
    assert response.is_complete
    assert not response.keeps_alive


@pytest.mark.parametrize("at", range(1, len(CHUNKED) - 1))
def test_a_framed_response_that_stops_early_is_cut(at: int) -> None:
    response = parser()
    response.feed(CHUNKED[:at])
    with pytest.raises(Cut):
        response.feed_eof()


def test_a_head_response_has_no_body_whatever_its_length_says() -> None:
    response = ResponseParser(is_head_request=True)
    response.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
    assert response.is_complete
    assert not response.keeps_alive


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
    ],
)
def test_anything_else_is_garbled(data: bytes) -> None:
    with pytest.raises((Garbled, Cut)):
        response = parser()
        response.feed(data)
        response.feed_eof()


def test_a_head_that_never_ends_is_garbled() -> None:
    response = parser()
    response.feed(b"HTTP/1.1 200 OK\r\n")
    with pytest.raises(Garbled):
        for number in range(300):
            response.feed(b"X-%d: " % number + b"a" * 1024 + b"\r\n")


@pytest.mark.parametrize(
    "tail", [PLAIN, b"HTTP/1.1 500 Oops\r\nContent-Length: 3\r\n\r\nabc", b"garbage", b"HTTP/1.1 100 Continue\r\n\r\n"]
)
@pytest.mark.parametrize("head", [PLAIN, CHUNKED])
def test_what_follows_the_end_is_no_part_of_the_response_and_spoils_the_connection(head: bytes, tail: bytes) -> None:
    response = parser()
    assert response.feed(head + tail) in (b"hello", b"hello world")
    assert (response.status, response.is_complete, response.is_garbled) == (200, True, False)
    assert not response.keeps_alive


def test_a_body_after_a_head_response_is_dropped() -> None:
    response = ResponseParser(is_head_request=True)
    assert response.feed(PLAIN) == b""


def test_has_begun_with_the_first_byte() -> None:
    response = parser()
    assert not response.has_begun
    response.feed(b"H")
    assert response.has_begun
    assert not response.has_head


@pytest.mark.parametrize("coding", [b"gzip, chunked", b"gzip", b"identity", b"chunked\r\nTransfer-Encoding: chunked"])
def test_a_transfer_coding_that_nobody_would_take_off_again_is_garbled(coding: bytes) -> None:
    with pytest.raises(Garbled, match="coding"):
        parser().feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: " + coding + b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
