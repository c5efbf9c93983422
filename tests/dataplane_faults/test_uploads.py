"""Bodies nobody looks at stream through, in both directions, without being held."""

import hashlib
from collections.abc import Iterator

from tests.playbook.fault_steps import Body, Head, Repeat, Send
from tests.playbook.raw_client import End
from tests.playbook.traffic import ANTHROPIC, STRICT, Lab

PIECE = bytes(range(256)) * 1024
UPLOAD_PIECES = 800
UPLOAD_BYTES = UPLOAD_PIECES * len(PIECE)


def head(lab: Lab, target: str, framing: str) -> bytes:
    fields = "".join(f"{name}: {value}\r\n" for name, value in [STRICT, *ANTHROPIC])
    return (
        f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1:{lab.port}\r\n"
        f"Content-Type: multipart/form-data; boundary=xyz\r\n{framing}\r\n{fields}\r\n"
    ).encode()


def test_an_upload_of_200_mb_streams_through_with_flat_memory(lab: Lab) -> None:
    lab.upstream.script("/v1/files", Body(b'{"id":"file_1"}'))
    lab.must_still_serve(3)
    lab.upstream.forget()
    lab.upstream.script("/v1/files", Body(b'{"id":"file_1"}'))
    before_mb = lab.rss_mb()
    worker = lab.worker()
    peak_mb = 0.0
    with lab.client() as client:
        client.send(head(lab, "/v1/files", f"Content-Length: {UPLOAD_BYTES}"))
        for number in range(UPLOAD_PIECES):
            client.send(PIECE)
            if number == 20:
                lab.upstream.wait(lambda: lab.upstream.bytes_received > 1 << 20, "the beginning before the end")
            if number % 20 == 0:
                peak_mb = max(peak_mb, worker.memory_info().rss / 2**20)
        reply = client.reply()
    assert (reply.status, reply.body) == (200, b'{"id":"file_1"}')
    seen = lab.upstream.last
    assert seen.body_bytes == UPLOAD_BYTES
    assert seen.digest == hashlib.sha256(PIECE * UPLOAD_PIECES).hexdigest()
    assert peak_mb < before_mb + 24
    row = lab.row(reply)
    assert (row["outcome"], row["dialect"]) == ("ok", "other")


def test_a_chunked_upload_streams_through(lab: Lab) -> None:
    with lab.client() as client:
        client.send(head(lab, "/v1/files", "Transfer-Encoding: chunked"))
        for number in range(100):
            client.send(b"%x\r\n%b\r\n" % (len(PIECE), PIECE))
            if number == 20:
                lab.upstream.wait(lambda: lab.upstream.bytes_received > 1 << 20, "the beginning before the end")
        client.send(b"0\r\n\r\n")
        assert client.reply().status == 200
    assert lab.upstream.last.digest == hashlib.sha256(PIECE * 100).hexdigest()


def test_an_upload_that_breaks_off_is_never_completed(lab: Lab) -> None:
    client = lab.client()
    client.send(head(lab, "/v1/files", "Content-Length: 10000000"))
    client.send(PIECE * 8)
    lab.upstream.wait(lambda: lab.upstream.bytes_received > len(PIECE), "the beginning")
    client.close()
    (seen,) = lab.upstream.wait_for_requests(1)
    assert not seen.is_complete
    lab.upstream.wait(seen.closed.is_set, "the close")
    lab.upstream.forget()
    lab.must_still_serve(5)


def test_an_answer_that_comes_before_the_upload_is_over_is_not_lost(lab: Lab) -> None:
    """A provider may refuse on the head alone; whether the rest is still read is its own affair."""
    lab.upstream.script("/v1/files", Body(b'{"error":"too large"}', status=413))

    def upload() -> Iterator[bytes]:
        yield head(lab, "/v1/files", f"Content-Length: {len(PIECE) * 40}")
        yield from [PIECE] * 40

    with lab.client() as client:
        client.send_until_refused(upload())
        reply = client.reply()
    assert (reply.status, reply.body) == (413, b'{"error":"too large"}')


def test_a_download_of_200_mb_streams_through_with_flat_memory(lab: Lab) -> None:
    lab.upstream.script("/v1/files/f/content", Head(length=UPLOAD_BYTES), Repeat(PIECE, UPLOAD_PIECES))
    before_mb = lab.rss_mb()
    with lab.client() as client:
        client.request("GET", "/v1/files/f/content", headers=[STRICT, *ANTHROPIC])
        reply = client.head()
        assert reply.header("content-length") == str(UPLOAD_BYTES)
        digest = hashlib.sha256()
        left, peak_mb = UPLOAD_BYTES, 0.0
        worker = lab.worker()
        while left:
            data = client.buffer or client.sock.recv(262144)
            client.buffer = b""
            assert data, "cut"
            digest.update(data)
            left -= len(data)
            peak_mb = max(peak_mb, worker.memory_info().rss / 2**20)
    assert digest.hexdigest() == hashlib.sha256(PIECE * UPLOAD_PIECES).hexdigest()
    assert peak_mb < before_mb + 24


def test_a_path_nobody_knows_crosses_untouched(lab: Lab) -> None:
    odd = b'\x00\xff{"model": not json'
    lab.upstream.script("/v1/audio/transcriptions", Head(length=4, content_type="text/plain"), Send(b"\xff\x00ab"))
    with lab.client() as client:
        fields = [STRICT, ("authorization", "Bearer sk-test"), ("content-type", "application/octet-stream")]
        client.request("POST", "/v1/audio/transcriptions?x=%20y&z", headers=fields, body=odd)
        reply = client.reply()
    assert (reply.status, reply.body, reply.end) == (200, b"\xff\x00ab", End.COMPLETE)
    assert (lab.upstream.last.target, lab.upstream.last.body) == ("/v1/audio/transcriptions?x=%20y&z", odd)
