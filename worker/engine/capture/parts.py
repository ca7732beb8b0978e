"""Cut a stream of bytes into upload parts of one size and send several at a time.

Some servers demand that all parts but the last have one size, so it is fixed before the first
byte is sent. Memory: at most `in_flight + 2` parts.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from worker.engine.capture.senders import GRACE, Senders
from worker.engine.crashpoints import crashpoint
from worker.engine.errors import JobStopped, StorageError
from worker.engine.storage import MOST_PARTS, StoredObject, Upload

MIN_PART = 8 * 1024 * 1024
NEW_PARTS = 5_500  # of 10,000: the others may be copied ones
_PLANNED_PARTS = 9_500
_GROWTH = 1.1  # the data may grow between scan and read, and headers come on top

_LOOK_EVERY = 1.0  # seconds

Bytes = bytes | bytearray | memoryview


def _nothing() -> None:
    """Wait for as long as it takes."""


def part_size(total: int, *, parts: int = _PLANNED_PARTS) -> int:
    """Bytes per part so that `total` source bytes surely fit into so many parts."""
    wanted = int(total * _GROWTH / parts) + 1
    step = 1024 * 1024
    return max(MIN_PART, -(-wanted // step) * step)


class PartWriter:
    """Write-only. `close` ends the threads; only `finish` makes the parts complete."""

    def __init__(
        self,
        upload: Upload,
        size: int,
        *,
        in_flight: int = 3,
        copied_parts: int = 0,
        copied_bytes: int = 0,
        max_parts: int = MOST_PARTS,
        check: Callable[[], None] = _nothing,
    ) -> None:
        """`size` in bytes of each part. So many parts and bytes stand in the object already.

        `check` is called every second while a part is waited for, and may raise.
        """
        self._check, self._max_parts = check, max_parts
        self._upload, self._size, self._in_flight = upload, size, in_flight
        self._pieces: list[Bytes] = []
        self._held = 0
        self._sent: deque[Future[None]] = deque()
        self._senders = Senders(in_flight, "upload")
        self._digester = ThreadPoolExecutor(1, thread_name_prefix="digest")
        self._digest = hashlib.sha256()
        self._digested: deque[Future[None]] = deque()
        self._number = copied_parts
        self.position = copied_bytes

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
            self._await_part()
        while self._digested:
            self._digested.popleft().result()
        return self._digest.hexdigest()

    def complete(self) -> StoredObject:
        return self._upload.complete()

    def close(self, *, grace: float = GRACE) -> None:
        """End the threads; what is on its way has `grace` seconds to arrive."""
        self._senders.close(grace=grace)
        self._digester.shutdown(cancel_futures=True)

    def __enter__(self) -> PartWriter:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        cancelled = isinstance(error, JobStopped) and error.code == "CANCELLED"
        self.close(grace=1.0 if cancelled else GRACE)  # what a person waits for, nobody wants

    def _send_part(self, number: int, part: bytearray) -> None:
        self._upload.send_part(number, part)
        crashpoint("backup.part-sent")

    def _await_part(self) -> None:
        first = self._sent[0]
        while not wait([first], timeout=_LOOK_EVERY).done:
            self._check()
        self._sent.popleft().result()

    def _send(self) -> None:
        part = bytearray().join(self._pieces)  # a bytearray goes to the socket without a copy
        self._pieces, self._held = [], 0
        self._number += 1
        if self._number > self._max_parts:
            raise StorageError(
                f"The data grew too much while it was read: more than {self._max_parts:,} parts.",
                hint="Start the backup again; parts will be larger.",
            )
        self._digested.append(self._digester.submit(self._digest.update, part))
        self._sent.append(self._senders.submit(self._send_part, self._number, part))
        while len(self._sent) > self._in_flight:
            self._await_part()
        while len(self._digested) > self._in_flight:
            self._digested.popleft().result()
