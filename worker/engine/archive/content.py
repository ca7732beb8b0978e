"""By what it is told that a segment's tar bytes are those of the last backup.

BLAKE3, the first 16 bytes: three times as fast as SHA-256 where the processor helps with that one,
ten times elsewhere, and each byte of a backup goes through it. Two contents with the same digest
are not found by chance, and to make a pair on purpose takes 2^64 attempts. It decides only whether
something is sent again; that what is stored is whole is vouched for by SHA-256 and seals.
"""

from __future__ import annotations

from blake3 import blake3

SIZE = 16  # bytes


def content_digest(raw: bytes | bytearray | memoryview) -> bytes:
    """`SIZE` bytes. Releases the interpreter lock."""
    return blake3(raw).digest(length=SIZE)
