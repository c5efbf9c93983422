"""HTTP/1.1 responses, fed read by read: llhttp (httptools) under our rules. Pure.

What one read brought comes out as one piece, so that it goes on in one write: 200 ready HTTP chunks are one send,
not 200 (15 times as many streams in a burst).
"""

import httptools

from tokenpakd.exchange.faults import Cut, Garbled

HEAD_BYTES_MAX = 262_144


class ResponseParser:
    """One response. Feed reads in; `status` and `headers` are there once `has_head`, `is_complete` ends it.

    `has_begun`: at least one byte came, so the request was seen.

    Interim (1xx) responses are passed over. Header names keep their case. `feed` returns the body bytes that
    this read brought, joined.

    Raises (feed, feed_eof):
      Garbled: not HTTP/1.1, or a head over 256 KiB.
      Cut: the connection ended before the framing said so.
    """

    def __init__(self, *, is_head_request: bool) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.has_head = False
        self.is_complete = False
        self.keeps_alive = False
        self._is_head_request = is_head_request
        self._pieces: list[bytes] = []
        self._head_bytes = 0
        self._is_framed = False
        self._is_garbled = False
        self._is_coded = False
        self.has_begun = False
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> bytes:
        """Take one read; return the body bytes in it."""
        if self.is_complete or self._is_garbled:
            raise Garbled("malformed response body")
        self.has_begun = True
        if not self.has_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            if not self.has_head:
                raise Garbled(f"malformed response ({type(exc).__name__})") from None
            # What came before it is good and goes on first. Behind the end it only spoils the connection.
            self._is_garbled = not self.is_complete
            self.keeps_alive = False
        if self._is_coded:
            raise Garbled("unknown transfer coding")
        if not self.has_head and self._head_bytes > HEAD_BYTES_MAX:
            raise Garbled("response head too large")
        if not self._pieces:
            return b""
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        return body

    @property
    def is_garbled(self) -> bool:
        """Whether the body stopped making sense behind what was returned so far."""
        return self._is_garbled

    def feed_eof(self) -> None:
        """The upstream closed. Ends a response without framing; cuts any other."""
        if not self.has_head:
            raise Cut("connection closed before a response")
        if self._is_framed and not self.is_complete:
            raise Cut("connection closed in the middle of the response")
        self.is_complete = True
        self.keeps_alive = False

    # callbacks of httptools

    def on_message_begin(self) -> None:
        """Distrust a connection on which a second response follows that nobody asked for."""
        if self.is_complete:
            self.keeps_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field of the head; trailers come after it and are dropped."""
        if not self.has_head:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Take the status; an interim response is forgotten."""
        status: int = self._parser.get_status_code()
        if self.is_complete:
            return
        if status < 200:
            self.headers.clear()
            return
        codings = [value.strip().lower() for name, value in self.headers if name.lower() == b"transfer-encoding"]
        if codings not in ([], [b"chunked"]):
            # Only chunked is taken off on the way, and the field that names another coding does not go on.
            self._is_coded = True
            return
        self.status, self.has_head = status, True
        names = {name.lower() for name, _ in self.headers}
        self._is_framed = b"content-length" in names or b"transfer-encoding" in names or status in (204, 304)
        if self._is_head_request:
            # llhttp cannot know that no body follows; the connection is not used again.
            self.is_complete = True

    def on_body(self, data: bytes) -> None:
        """Collect what this read brought."""
        if not self.is_complete:
            self._pieces.append(data)

    def on_message_complete(self) -> None:
        """End the response, if it was the final one."""
        if self.has_head and not self.is_complete:
            self.is_complete = True
            self.keeps_alive = self._parser.should_keep_alive()
