"""Where in a body a `msgspec.Raw` stands.

A Raw decoded from bytes is a view of those bytes, so its address minus theirs is its offset: exact, whatever the
spacing, escapes or repeats around it. Searching for the text instead would find the first of two equal texts.
"""

import ctypes
from collections.abc import Iterable

import msgspec

# Address and size of an object's buffer in one call. Long out of the headers, but part of the stable ABI (3.2 on), and
# twice as fast as taking the buffer and giving it back. Raws neither move nor lock theirs.
_read_buffer = ctypes.pythonapi.PyObject_AsReadBuffer
_read_buffer.argtypes = (ctypes.py_object, ctypes.c_void_p, ctypes.c_void_p)
_read_buffer.restype = ctypes.c_int


class SpanIndex:
    """Offsets of values in one body. Holds the body alive, so no address can go stale.

    Two live objects never share memory: an address inside the body proves that a Raw is a view of it. Comparing the
    bytes as well would cost as much again as finding them.
    """

    def __init__(self, body: bytes) -> None:
        self.body = body
        self._address = ctypes.c_size_t()
        self._bytes = ctypes.c_ssize_t()
        # Plain numbers are the quickest arguments to pass.
        self._to_address = ctypes.addressof(self._address)
        self._to_bytes = ctypes.addressof(self._bytes)
        _read_buffer(body, self._to_address, self._to_bytes)
        self._base = self._address.value

    def value(self, raw: msgspec.Raw) -> tuple[int, int] | None:
        """Return (start, end) of a value of any kind; None when `raw` is none of this body."""
        _read_buffer(raw, self._to_address, self._to_bytes)
        start = self._address.value - self._base
        end = start + self._bytes.value
        return (start, end) if 0 <= start < end <= len(self.body) else None

    def literal(self, raw: msgspec.Raw) -> tuple[int, int] | None:
        """Return (start, end) of a JSON string literal, both quotes included; None when `raw` is none of this body."""
        return self.literals((raw,))[0]

    def literals(self, raws: Iterable[msgspec.Raw]) -> list[tuple[int, int] | None]:
        """Return the same of each; one loop, because a request has hundreds of them."""
        body, size, base, read = self.body, len(self.body), self._base, _read_buffer
        address, length, to_address, to_length = self._address, self._bytes, self._to_address, self._to_bytes
        found: list[tuple[int, int] | None] = []
        for raw in raws:
            read(raw, to_address, to_length)
            start = address.value - base
            end = start + length.value
            # 0x22 is the quote. A value that begins with one ends with one.
            found.append((start, end) if 0 <= start < end <= size and body[start] == 0x22 else None)
        return found
