"""Request bodies: read whole, or written to a file as they come, out of AWS's chunks if need be.

The form of chunks: "Signature calculations: transferring payload in multiple chunks" in the
Amazon S3 API reference: `<hex size>[;chunk-signature=...]CRLF <bytes> CRLF`, a size of 0 at the
end, then trailing headers and an empty line.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

_BUFFER = 1024 * 1024


class Stream:
    """A connection with a buffer that lines and bytes are taken from."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._space = memoryview(bytearray(_BUFFER))
        self._start = self._end = 0

    def line(self) -> bytes:
        """Up to CRLF, without it; b"" at the end of the connection."""
        found = bytearray()
        while not found.endswith(b"\n"):
            chunk = self._peek()
            if not chunk:
                return b""
            size = bytes(chunk).find(b"\n") + 1 or len(chunk)
            found += self.take(size)
        return bytes(found).rstrip(b"\r\n")

    def take(self, most: int) -> memoryview:
        """Some bytes, valid until the next call; raises `ConnectionError` at the end."""
        chunk = self._peek()[:most]
        if not chunk:
            raise ConnectionError("the client hung up")
        self._start += len(chunk)
        return chunk

    def _peek(self) -> memoryview:
        if self._start == self._end:
            self._start, self._end = 0, self._connection.recv_into(self._space)
        return self._space[self._start : self._end]


def read(stream: Stream, headers: Mapping[str, str]) -> bytes:
    """A short body as a whole."""
    left, found = int(headers.get("content-length", 0)), bytearray()
    while left:
        found += (chunk := stream.take(left))
        left -= len(chunk)
    return bytes(found)


def write(stream: Stream, headers: Mapping[str, str], path: Path) -> int:
    """A body into a new file; how many bytes it has now."""
    with path.open("xb", buffering=0) as file:
        if not headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
            return _copy(stream, file, int(headers.get("content-length", 0)))
        total = 0
        while size := int(stream.line().partition(b";")[0], 16):
            total += _copy(stream, file, size)
            stream.line()
        while stream.line():
            pass
        return total


def _copy(stream: Stream, file: object, size: int) -> int:
    left = size
    while left:
        chunk = stream.take(left)
        left -= len(chunk)
        while chunk:
            chunk = chunk[file.write(chunk) :]  # type: ignore[attr-defined]
    return size
