"""Where in a body a `msgspec.Raw` stands.

A Raw decoded from bytes is a view of those bytes, so its address minus theirs is its offset: exact, whatever the
spacing, escapes or repeats around it. Searching for the text instead would find the first of two equal texts.
"""

import ctypes

import msgspec


class _PyBuffer(ctypes.Structure):
    """`Py_buffer` of the buffer protocol, part of the stable ABI since 3.11."""

    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.py_object),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_void_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    )


_get_buffer = ctypes.pythonapi.PyObject_GetBuffer
_get_buffer.argtypes = (ctypes.py_object, ctypes.c_void_p, ctypes.c_int)
_get_buffer.restype = ctypes.c_int
_release_buffer = ctypes.pythonapi.PyBuffer_Release
_release_buffer.argtypes = (ctypes.c_void_p,)
_release_buffer.restype = None

_CHECKED_WHOLE_BYTES = 65_536


class SpanIndex:
    """Offsets of string literals in one body. Holds the body alive, so no address can go stale."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._view = _PyBuffer()
        # byref of a structure is made once: half of the 1.3 µs a look-up costs.
        self._pointer = ctypes.byref(self._view)
        _get_buffer(body, self._pointer, 0)
        self._base = self._view.buf or 0
        _release_buffer(self._pointer)

    def literal(self, raw: msgspec.Raw) -> tuple[int, int] | None:
        """Return (start, end) of a JSON string literal, both quotes included; None when `raw` is none of this body."""
        _get_buffer(raw, self._pointer, 0)
        start = (self._view.buf or 0) - self._base
        size = self._view.len
        _release_buffer(self._pointer)
        end = start + size
        body = self._body
        # Two live objects never share memory: an address inside the body proves that raw is a view of it. The
        # comparison is the second lock on the same door; of very long literals it looks at both ends only.
        if start < 0 or end > len(body) or size < 2 or body[start] != 0x22 or body[end - 1] != 0x22:
            return None
        if size <= _CHECKED_WHOLE_BYTES:
            return (start, end) if body[start:end] == bytes(raw) else None
        view = memoryview(raw)
        half = _CHECKED_WHOLE_BYTES // 2
        if body[start : start + half] == bytes(view[:half]) and body[end - half : end] == bytes(view[-half:]):
            return start, end
        return None
