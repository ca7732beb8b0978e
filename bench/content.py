"""Pieces of a chat gateway's data: texts, identifiers, keys, media. The same for the same seed.

Texts are slices of one large pool of words in Zipf's proportions: with the identifiers around
them gzip makes half of it. The pool is larger than the window of any compressor compared, so
that nobody gains from a slice coming up again.
"""

from __future__ import annotations

import base64
import json
import random
import string
from functools import cache
from itertools import accumulate

_WORDS = 30_000
_POOL_WORDS = 5_000_000  # about 32 MiB


@cache
def text_pool() -> str:
    """Built once per process, in some seconds."""
    rng = random.Random("text")  # noqa: S311
    words = [
        "".join(rng.choices(string.ascii_lowercase, k=rng.randint(1, 11))) for _ in range(_WORDS)
    ]
    weights = list(accumulate(1 / (rank + 2) for rank in range(_WORDS)))
    return " ".join(rng.choices(words, cum_weights=weights, k=_POOL_WORDS))


class Content:
    """One account's source of content."""

    def __init__(self, seed: str) -> None:
        self.rng = random.Random(seed)  # noqa: S311
        self._pool = text_pool()

    def text(self, longest: int = 360) -> str:
        """A message of up to `longest` characters; most are short."""
        length = int(self.rng.betavariate(1.2, 3) * longest) + 2
        start = self.rng.randrange(len(self._pool) - length)
        return self._pool[start : start + length]

    def message_id(self) -> str:
        return "3EB0" + self.rng.randbytes(9).hex().upper()

    def phone(self) -> str:
        return f"49{self.rng.randrange(150_000, 180_000)}{self.rng.randrange(10_000_000)}"

    def secret(self, size: int = 32) -> str:
        return base64.b64encode(self.rng.randbytes(size)).decode()

    def media(self, size: int) -> bytes:
        """What JPEG, Opus and H.264 look like to a compressor: noise behind a short header."""
        return b"\xff\xd8\xff\xe0\0\x10JFIF\0" + self.rng.randbytes(max(0, size - 11))

    def key_file(self) -> bytes:
        """One of the many small JSON files that hold a session's keys; 150 to 900 bytes."""
        record = {
            "keyId": self.rng.randrange(1 << 24),
            "public": {"type": "Buffer", "data": self.secret()},
            "private": {"type": "Buffer", "data": self.secret()},
            "chain": [self.secret() for _ in range(self.rng.randrange(12))],
        }
        return json.dumps(record).encode()

    def log_line(self, at: int) -> str:
        """One JSON line of a gateway's log, `at` in milliseconds since the epoch."""
        number = self.rng.randrange(4)
        return (
            f'{{"level":30,"time":{at},"event":"message.{("in", "out", "ack", "read")[number]}",'
            f'"id":"{self.message_id()}","from":"{self.phone()}@s.whatsapp.net",'
            f'"body":"{self.text()}","ack":{number}}}\n'
        )
