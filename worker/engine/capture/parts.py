"""Cut a stream of bytes into upload parts of one size and send several at a time.

Some servers demand that all parts but the last have one size, so it is fixed before the first
byte is sent. Memory: at most `in_flight + 2` parts.
"""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

from worker.engine.errors import StorageError
from worker.engine.storage import StoredObject, Upload

MIN_PART = 8 * 1024 * 1024
MAX_PARTS = 10_000
_PLANNED_PARTS = 9_500
_GROWTH = 1.1  # the data may grow between scan and read, and headers come on top

Bytes = bytes | bytearray | memoryview


def part_size(total: int) -> int:
    """Bytes per part so that `total` source bytes fit into 10,000 parts with room to spare."""
    wanted = int(total * _GROWTH / _PLANNED_PARTS) + 1
    step = 1024 * 1024
    return max(MIN_PART, -(-wanted // step) * step)


class PartWriter:
    """Write-only. `close` ends the threads; only `finish` makes the parts complete."""

    def __init__(self, upload: Upload, size: int, *, in_flight: int = 3) -> None:
        self._upload, self._size, self._in_flight = upload, size, in_flight
        self._pieces: list[Bytes] = []
        self._held = 0
        self._sent: deque[Future[None]] = deque()
        self._senders = ThreadPoolExecutor(in_flight, thread_name_prefix="upload")
        self._digester = ThreadPoolExecutor(1, thread_name_prefix="digest")
        self._digest = hashlib.sha256()
        self._digested: deque[Future[None]] = deque()
        self._number = 0
        self.position = 0

    def write(self, data: Bytes) -> None:
        """Take `data`; blocks while enough parts are on their way. Raises what sending raised."""
        view = memoryview(data)
        self.position += len(view)
        while len(view) >= self._size - self._held:
            room = self._size - self._held
            self._pieces.append(view[:room])
            view = view[room:]
            self._send()
        if view:
            self._pieces.append(view)
            self._held += len(view)

    def finish(self) -> str:
        """Send the rest and wait for all parts. The SHA-256 of everything written, in hex."""
        if self._pieces or self._number == 0:
            self._send()
        while self._sent:
            self._sent.popleft().result()
        while self._digested:
            self._digested.popleft().result()
        return self._digest.hexdigest()

    def complete(self) -> StoredObject:
        return self._upload.complete()

    def close(self) -> None:
        self._senders.shutdown(cancel_futures=True)
        self._digester.shutdown(cancel_futures=True)

    def __enter__(self) -> PartWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _send(self) -> None:
        part = bytearray().join(self._pieces)  # a bytearray goes to the socket without a copy
        self._pieces, self._held = [], 0
        self._number += 1
        if self._number > MAX_PARTS:
            raise StorageError(
                "The data grew too much while it was read: more than 10,000 parts.",
                hint="Start the backup again; parts will be larger.",
            )
        self._digested.append(self._digester.submit(self._digest.update, part))
        self._sent.append(self._senders.submit(self._upload.send_part, self._number, part))
        while len(self._sent) > self._in_flight:
            self._sent.popleft().result()
        while len(self._digested) > self._in_flight:
            self._digested.popleft().result()
