"""Request bodies: read whole, or written to a file as they come, out of AWS's chunks if need be.

The form of chunks: "Signature calculations: transferring payload in multiple chunks" in the
Amazon S3 API reference: `<hex size>[;chunk-signature=...]CRLF <bytes> CRLF`, a size of 0 at the
end, then trailing headers and an empty line.
"""

from __future__ import annotations

import socket
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from isal import isal_zlib

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


class Damaged(Exception):
    """The body is not the one that its checksum is of."""


class _Body:
    """A file that is being written; with `checked` its CRC-32 is taken on the way."""

    def __init__(self, file: BinaryIO, *, checked: bool) -> None:
        self._file, self._checked = file, checked
        self.size = self.crc32 = 0

    def copy(self, stream: Stream, size: int) -> None:
        self.size += size
        while size:
            chunk = stream.take(size)
            size -= len(chunk)
            if self._checked:
                self.crc32 = isal_zlib.crc32(chunk, self.crc32)
            while chunk:
                chunk = chunk[self._file.write(chunk) :]


def write(stream: Stream, headers: Mapping[str, str], path: Path) -> int:
    """A body into a new file; how many bytes it has now. Raises `Damaged` at its end."""
    wanted = headers.get("x-amz-checksum-crc32", "")
    with path.open("xb", buffering=0) as file:
        body = _Body(file, checked=bool(wanted))
        if headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
            _unwrap(stream, body)
        else:
            body.copy(stream, int(headers.get("content-length", 0)))
    if wanted and b64encode(body.crc32.to_bytes(4, "big")).decode() != wanted:
        raise Damaged
    return body.size


def _unwrap(stream: Stream, body: _Body) -> None:
    while size := int(stream.line().partition(b";")[0], 16):
        body.copy(stream, size)
        stream.line()
    while stream.line():
        pass
