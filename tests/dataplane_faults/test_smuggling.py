"""Two requests where one was meant: every head that could be read in two ways is refused, or read in one way only.

The oracle is the provider: for each answer of 200 it got exactly one whole request, with a body that was declared, in
the order of the answers; its head names one host and one framing. What was refused it never saw whole.
"""

import itertools
import re
import socket

import pytest

from tests.playbook.fault_line import Exchange
from tests.playbook.raw_client import RawClient
from tests.playbook.traffic import ANTHROPIC, MESSAGES, STRICT, Lab, eventually

BODY = b'{"model":"claude-x","messages":[]}'
INNER = b'{"model":"claude-inner","messages":[]}'
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
TARGETS = [MESSAGES.encode(), b"/v1/files"]
"""One whose body is held and looked at, one whose body streams through."""

REFUSED_FRAMINGS: list[bytes] = [
    LENGTH + CHUNKED,
    CHUNKED + LENGTH,
    b"Content-Length: 0\r\n" + CHUNKED,
    LENGTH + b"Content-Length: 3\r\n",
    LENGTH + b"content-length: 3\r\n",
    LENGTH + b"Transfer-Encoding : chunked\r\n",
    LENGTH + b"Transfer-Encoding\t: chunked\r\n",
    LENGTH + b"Transfer-Encoding\x00: chunked\r\n",
    LENGTH + b"X\rTransfer-Encoding: chunked\r\n",
    LENGTH + b"X: a\rTransfer-Encoding: chunked\r\n",
    LENGTH + b"X: a\r\r\n",
    LENGTH + b"X: a\x00b\r\n",
    LENGTH + b"no colon\r\n",
    LENGTH + b": no name\r\n",
    b" Transfer-Encoding: chunked\r\n" + LENGTH[:-2] + b" \x0b\r\n",
    *(b"Content-Length: %b\r\n" % value for value in (
        b"+34", b"-34", b"0x22", b"34.0", b"34a", b"34;", b"34 34", b"34\x0b", b"1e1", b"", b"_34", b"\xd9\xa1",
        b"34, 3", b"0000000000000000000000034", b"-0",
    )),
    *(b"Transfer-Encoding: %b\r\n" % value for value in (
        b"xchunked", b"chunked, chunked", b"gzip, chunked", b"chunked, gzip", b"identity", b"chunked;q=1", b'"chunked"',
        b"chunked\x0b", b"\x0bchunked", b"chunk", b"chunked,", b",chunked", b"", b"chunked\x00", b"chun\xc4ked",
    )),
    CHUNKED + CHUNKED,
    b"Transfer-Encoding: identity\r\n" + CHUNKED,
]  # fmt: skip
ONE_WAY: list[tuple[bytes, bytes]] = [
    (LENGTH, BODY),
    (LENGTH, BODY + b"\r\n"),
    (LENGTH + LENGTH, BODY),
    (b"Content-Length: 34, 34\r\n", BODY),
    (b"Content-Length:\t34 \r\n", BODY),
    (b"Content-Length: 034\r\n", BODY),
    (b"Content-Length:\r\n 34\r\n", BODY),
    (b"X: y\r\n Content-Length: 3\r\n" + LENGTH, BODY),
    (b"X: y\r\n Transfer-Encoding: chunked\r\n" + LENGTH, BODY),
    (b"Transfer_Encoding: chunked\r\n" + LENGTH, BODY),
    (b"Connection: content-length, x\r\n" + LENGTH, BODY),
    (b"X-HTTP-Method-Override: GET\r\n" + LENGTH, BODY),
    (CHUNKED, CHUNKS),
    (b"transfer-encoding:\tCHUNKED \r\n", CHUNKS),
    (b"Connection: transfer-encoding\r\n" + CHUNKED, CHUNKS),
    (CHUNKED, CHUNKS.replace(b"22\r\n", b'22;a="b;c"\r\n')),
    (CHUNKED, CHUNKS.replace(b"22\r\n", b"0022\r\n")),
    (CHUNKED, CHUNKS.replace(b"\r\n0\r\n", b"\r\n000\r\n")),
    (b"Trailer: Content-Length\r\n" + CHUNKED, CHUNKS[:-2] + b"Content-Length: 3\r\nHost: evil.test\r\n\r\n"),
]
BROKEN_CHUNKS: list[bytes] = [
    CHUNKS.replace(b"22\r\n", size + b"\r\n")
    for size in (
        b"",
        b"0x22",
        b"+22",
        b"-22",
        b"22g",
        b" 22",
        b"2_2",
        b"22\r",
        b"22;a\nb",
        b"\x0022",
        b"0" * 21 + b"22",
    )
] + [
    CHUNKS.replace(b"22\r\n", b"22\n"),
    CHUNKS.replace(b"\r\n0\r\n", b"\n0\r\n"),
    CHUNKS.replace(b"\r\n0\r\n", b"0\r\n"),
    CHUNKS.replace(b"\r\n0\r\n", b"XX0\r\n"),
    CHUNKS[:-2] + b"no colon\r\n\r\n",
]
REFUSED_LINES: list[bytes] = [
    b"POST %b HTTP/1.2", b"POST %b HTTP/2.0", b"POST %b HTTP/0.9", b"POST %b HTTP/1.10", b"POST %b http/1.1",
    b"POST %b HTTP/1", b"POST %b HTTP/9.9", b"POST %b HTTP/1.1 x", b"POST\t%b HTTP/1.1", b"POST  %b HTTP/1.1",
    b" POST %b HTTP/1.1", b"POST http://evil.test%b HTTP/1.1", b"POST *%b HTTP/1.1", b"POST %b\x01 HTTP/1.1",
    b"POST %b\x7f HTTP/1.1", b"POST %b\xc3\xa9 HTTP/1.1", b"POST %b", b"CONNECT %b HTTP/1.1", b"TRACE %b HTTP/1.1",
    b"P\x00ST %b HTTP/1.1",
]  # fmt: skip


def request(lab: Lab, target: bytes, framing: bytes, payload: bytes, line: bytes = b"POST %b HTTP/1.1") -> bytes:
    fields = "".join(f"{name}: {value}\r\n" for name, value in [STRICT, *ANTHROPIC]).encode()
    host = b"Host: 127.0.0.1:%d\r\nContent-Type: application/json\r\n" % lab.port
    return line % target + b"\r\n" + host + fields + framing + b"\r\n" + payload


def answers(lab: Lab, data: bytes) -> list[int]:
    """Send, say that this was all, and yield the statuses of what comes back.

    The end is said once the answers are there: to the daemon a half-closed client is one that left.
    """
    with RawClient(lab.port, deadline_s=0.4) as client:
        client.send(data)
        try:
            got = client.everything()
        except TimeoutError:
            got = client.buffer
            client.sock.shutdown(socket.SHUT_WR)
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", got)]


def whole(lab: Lab) -> list[Exchange]:
    """What arrived complete, each with a head that can be read in one way only."""
    found = [exchange for exchange in lab.upstream.exchanges if exchange.is_complete]
    for exchange in found:
        names = [name.lower() for name, _ in exchange.headers]
        assert names.count("host") == 1
        assert names.count("content-length") + names.count("transfer-encoding") == 1, names
        assert exchange.head.count(b"\n") == exchange.head.count(b"\r\n") == len(names) + 2
    return found


@pytest.mark.parametrize("target", TARGETS)
def test_what_could_be_read_in_two_ways_is_refused(lab: Lab, target: bytes) -> None:
    inner = request(lab, MESSAGES.encode(), b"Content-Length: %d\r\n" % len(INNER), INNER)
    lines = [request(lab, target, LENGTH, BODY + inner, line) for line in REFUSED_LINES]
    for data in lines + [request(lab, target, framing, BODY + inner) for framing in REFUSED_FRAMINGS]:
        statuses = answers(lab, data)
        assert len(statuses) == 1, data
        assert statuses[0] in (400, 405), data
    assert lab.upstream.exchanges == []


@pytest.mark.parametrize("target", TARGETS)
def test_what_can_be_read_in_one_way_is_one_request_and_the_next_is_the_next(lab: Lab, target: bytes) -> None:
    inner = request(lab, MESSAGES.encode(), b"Content-Length: %d\r\n" % len(INNER), INNER)
    for number, (framing, payload) in enumerate(ONE_WAY):
        with lab.client() as client:
            client.send(request(lab, target, framing, payload) + inner)
            assert [client.reply().status, client.reply().status] == [200, 200], framing
        pair = whole(lab)[2 * number :]
        assert [(exchange.target, exchange.body) for exchange in pair] == [
            (target.decode(), BODY),
            (MESSAGES, INNER),
        ], framing
    assert len(lab.upstream.exchanges) == 2 * len(ONE_WAY)


@pytest.mark.parametrize("target", TARGETS)
def test_broken_chunks_end_the_request_and_nothing_behind_them_is_another(lab: Lab, target: bytes) -> None:
    inner = request(lab, MESSAGES.encode(), b"Content-Length: %d\r\n" % len(INNER), INNER)
    for payload in BROKEN_CHUNKS:
        assert answers(lab, request(lab, target, CHUNKED, payload + inner)) == [400], payload
    assert whole(lab) == [], "an upload that broke never ends clean at the provider"


@pytest.mark.parametrize("target", TARGETS)
def test_what_follows_the_last_request_of_a_connection_means_nothing(lab: Lab, target: bytes) -> None:
    """A client that says close, or speaks HTTP/1.0, gets the answer it asked for, whatever it sends behind."""
    inner = request(lab, MESSAGES.encode(), b"Content-Length: %d\r\n" % len(INNER), INNER)
    for framing, line in [(b"Connection: close\r\n", b"POST %b HTTP/1.1"), (b"", b"POST %b HTTP/1.0")]:
        for behind in (b"\r\n", b"garbage", inner):
            with lab.client() as client:
                client.send(request(lab, target, framing + LENGTH, BODY + behind, line))
                assert client.reply().status == 200
                assert client.closed_by_peer()
    assert [exchange.body for exchange in whole(lab)] == [BODY] * 6


@pytest.mark.parametrize("cut", [1, 20, 60, -1])
def test_a_request_cut_anywhere_is_none(lab: Lab, cut: int) -> None:
    for target, (framing, payload) in itertools.product(TARGETS, [(LENGTH, BODY), (CHUNKED, CHUNKS)]):
        with lab.client() as client:
            client.send(request(lab, target, framing, payload)[:cut])
    eventually(lambda: lab.daemon.get_json("/health")["in_flight"] == 0, "nothing in flight")
    assert whole(lab) == []
