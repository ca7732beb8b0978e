"""Make upload parts of a stream of bytes and copies, and send several at a time.

A part has 5 MiB at least, unless it is the last one; some servers demand that all parts have one
size, so that of bytes is fixed before the first one is sent, and these get no copies. Small pieces
between copies are put behind the large piece before them (`joining.py`), which is held back for
that; a chain of them takes many round trips, so several are made at once, beside the parts. Large
copies are made beside both: the line is for bytes. Memory: at most `in_flight + 3` parts, and two
parts' worth of small pieces.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from worker.engine.capture.joining import Chain, Joiner, send
from worker.engine.capture.pieces import Copy, Piece, size_of
from worker.engine.capture.senders import GRACE, Senders, close_all
from worker.engine.crashpoints import crashpoint
from worker.engine.errors import JobStopped, StorageError
from worker.engine.storage import MOST_PARTS, StoredObject, Upload

MIN_PART = 8 * 1024 * 1024
LEAST_PART = 5 * 1024 * 1024  # what S3 takes for a part that is not the last one
NEW_PARTS = 5_000  # of 10,000: the others may be copied ones
MOST_JOINS = 500
_CHAINS = 4  # made at once
_COPIES = 3  # the same
_PLANNED_PARTS = 9_500
_GROWTH = 1.1  # the data may grow between scan and read, and headers come on top
_LARGEST_COPY = 256 * 1024 * 1024  # bytes: a server answers well within a request's time limit

_LOOK_EVERY = 1.0  # seconds

Bytes = bytes | bytearray | memoryview


def _nothing() -> None:
    """Wait for as long as it takes."""


def part_size(total: int, *, parts: int = _PLANNED_PARTS) -> int:
    """Bytes per part so that `total` source bytes surely fit into so many parts."""
    wanted = int(total * _GROWTH / parts) + 1
    step = 1024 * 1024
    return max(MIN_PART, -(-wanted // step) * step)


def largest_copy(total: int, *, max_parts: int) -> int:
    """Bytes of one copied part, so that `total` of them take a fifth of all parts at most."""
    return max(_LARGEST_COPY, -(-5 * total // max_parts))


class PartWriter:
    """Write-only. `close` ends the threads; only `finish` makes the parts complete.

    `position` and `copied` count bytes. A piece is open until it is a whole part or one of another
    kind follows; a large one is then held back until it is known whether small ones follow.
    """

    def __init__(
        self,
        upload: Upload,
        size: int,
        *,
        least: int = LEAST_PART,
        joiner: Joiner | None = None,
        in_flight: int = 3,
        max_parts: int = MOST_PARTS,
        largest_copy: int = _LARGEST_COPY,
        check: Callable[[], None] = _nothing,
    ) -> None:
        """`size` in bytes of each part of new bytes, `least` of any part. Without a `joiner`
        small pieces cannot stand between copies.

        `check` is called every second while a part is waited for, and may raise.
        """
        self._upload, self._size, self._in_flight = upload, size, in_flight
        self._least = min(least, size)
        self._joiner, self._check, self._max_parts = joiner, check, max_parts
        self._largest_copy = largest_copy
        self._open, self._held = bytearray(), 0  # a part, and how much of it is filled
        self._copy: Copy | None = None
        self._tail: Piece | None = None
        self._chain: Chain | None = None
        self._chained = 0  # bytes that were joined and are no part yet
        self._joins = MOST_JOINS
        self._proven = False
        self._sent: deque[Future[None]] = deque()
        self._senders = Senders(in_flight, "upload")
        self._copiers = Senders(_COPIES, "copy")
        self._copies: deque[Future[None]] = deque()
        self._joined: deque[tuple[Future[None], int]] = deque()
        self._lines = deque(Senders(1, f"join-{n}") for n in range(_CHAINS if joiner else 0))
        self._digester = ThreadPoolExecutor(1, thread_name_prefix="digest")
        self._digest = hashlib.sha256()
        self._digested: deque[Future[None]] = deque()
        self.parts = 0
        self.position = self.copied = 0

    def write(self, data: Bytes) -> None:
        """Take `data`; blocks while enough parts are on their way. Raises what sending raised."""
        self._close_copy()
        view = memoryview(data)
        self.position += len(view)
        while view:
            view = view[self._fill(view) :]
            if self._held == self._size:
                self._close_bytes()

    def takes(self, size: int) -> bool:
        """Whether a copy of so many bytes may come next."""
        if self._held and self._held < self._least:
            return self._may_join and self._has_large
        return size >= self._least or (self._may_join and (self._has_large or self._held > 0))

    def copy(self, copy: Copy) -> None:
        """Take what the server has. `takes` said that it may be, unless it goes on with the last
        one. Raises `NotReused` where the server does not."""
        self._close_bytes()
        if self._copy and self._copy.goes_on(copy):
            self._copy = self._copy._replace(end=copy.end)
        else:
            self._close_copy()
            self._copy = copy
        self.position += copy.size
        self.copied += copy.size

    def finish(self) -> str:
        """Send the rest and wait for all parts. The SHA-256 of everything written, in hex."""
        rest: Piece | None = self._copy or (self._filled() if self._held else None)
        self._copy = None
        self._release()
        if rest is not None or not self.parts:  # the last part may be small
            self._begin(rest if rest is not None else bytearray())
        self._await_all()
        while self._digested:
            self._digested.popleft().result()
        return self._digest.hexdigest()

    def complete(self) -> StoredObject:
        return self._upload.complete()

    def close(self, *, grace: float = GRACE) -> None:
        """End the threads; what is on its way has `grace` seconds to arrive."""
        close_all((self._senders, self._copiers, *self._lines), grace=grace)
        self._digester.shutdown(cancel_futures=True)
        if self._joiner:
            self._joiner.drop()

    def __enter__(self) -> PartWriter:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        cancelled = isinstance(error, JobStopped) and error.code == "CANCELLED"
        self.close(grace=1.0 if cancelled else GRACE)  # what a person waits for, nobody wants

    @property
    def _may_join(self) -> bool:
        return self._joiner is not None and self._joins > 0

    @property
    def _has_large(self) -> bool:
        """Whether a small piece would have something to stand behind."""
        large = self._copy is not None and self._copy.size >= self._least
        return large or self._tail is not None or self._chain is not None

    def _fill(self, data: memoryview) -> int:
        """How much of the data the open part has taken: a copy, `data` may change afterwards."""
        self._open = self._open or bytearray(self._size)
        size = min(len(data), self._size - self._held)
        self._open[self._held : self._held + size] = data[:size]
        self._held += size
        return size

    def _filled(self) -> bytearray:
        """What was written since the last piece, for the socket without another copy."""
        piece, self._open = self._open, bytearray()
        del piece[self._held :]
        self._held = 0
        self._digested.append(self._digester.submit(self._digest.update, piece))
        while len(self._digested) > self._in_flight:
            self._digested.popleft().result()
        return piece

    def _close_bytes(self) -> None:
        if self._held:
            self._place(self._filled())

    def _close_copy(self) -> None:
        copy, self._copy = self._copy, None
        if copy:
            self._place(copy)

    def _place(self, piece: Piece) -> None:
        if self._joiner is None:
            self._begin(piece)
        elif size_of(piece) < self._least:
            self._join(self._joiner, piece)
        else:
            self._release()
            self._tail = piece

    def _release(self) -> None:
        """What was held back becomes a part now: nothing small follows it."""
        tail, self._tail = self._tail, None
        if tail is not None:
            self._begin(tail)
        if self._chain:
            self._submit_join(0, self._chain.end, self._next())
            self._chain = None
            self._lines.rotate()  # the next chain is another thread's

    def _join(self, joiner: Joiner, piece: Piece) -> None:
        """A small piece behind the large one."""
        held = _held_of(piece)
        if self._chain is None:
            self._chain, front = self._begin_chain(joiner)
            held += front
        self._chained += size_of(piece)
        self._joins -= 1
        ready = number = 0
        if self._chained >= 2 * self._least:
            ready, number = self._chained - self._least, self._next()
            self._chained = self._least
        self._submit_join(held, self._chain.add, piece, ready, number)

    def _begin_chain(self, joiner: Joiner) -> tuple[Chain, int]:
        """And the bytes of ours that it holds. Of a copy no more than is needed passes through
        temporary objects."""
        front, self._tail = self._tail, None
        assert front is not None
        if isinstance(front, Copy) and front.size >= 2 * self._least:
            before, front = front.cut(front.size - self._least)
            self._begin(before)
        self._chained = size_of(front)
        return joiner.begin(front), _held_of(front)

    def _submit_join(self, held: int, work: Callable[..., None], *values: object) -> None:
        """`held`: bytes of ours that wait for it. Joins of what the server has may all wait: the
        line is for what comes behind them."""
        self._joined.append((self._lines[0].submit(work, *values), held))
        while self._joined and (self._joined[0][0].done() or self._too_many_joins):
            self._await(self._joined[0][0])
            self._joined.popleft()

    @property
    def _too_many_joins(self) -> bool:
        held = sum(size for _, size in self._joined)
        return held > 2 * self._size

    def _begin(self, piece: Piece) -> None:
        """One part, or several of a long copy."""
        if not isinstance(piece, Copy):
            self._submit(self._send_part, self._next(), piece)
            return
        for share in piece.shares(self._largest_copy):
            self._copies.append(self._copiers.submit(send, self._upload, self._next(), share))
            if not self._proven:  # alone: a server that cannot copy is found out at once
                self._await_all()
                self._proven = True
            while self._copies and self._copies[0].done():
                self._copies.popleft().result()

    def _next(self) -> int:
        self.parts += 1
        if self.parts > self._max_parts:
            raise StorageError(
                f"The data grew too much while it was read: more than {self._max_parts:,} parts.",
                hint="Start the backup again; parts will be larger.",
            )
        return self.parts

    def _send_part(self, number: int, part: bytearray) -> None:
        self._upload.send_part(number, part)
        crashpoint("backup.part-sent")

    def _submit(self, work: Callable[..., None], *values: object) -> None:
        self._sent.append(self._senders.submit(work, *values))
        while len(self._sent) > self._in_flight:
            self._await_part()

    def _await_all(self) -> None:
        while self._sent:
            self._await_part()
        while self._copies:
            self._await(self._copies[0])
            self._copies.popleft()
        while self._joined:
            self._await(self._joined[0][0])
            self._joined.popleft()

    def _await_part(self) -> None:
        self._await(self._sent[0])
        self._sent.popleft()

    def _await(self, sent: Future[None]) -> None:
        while not wait([sent], timeout=_LOOK_EVERY).done:
            self._check()
        sent.result()


def _held_of(piece: Piece) -> int:
    """Bytes of ours."""
    return 0 if isinstance(piece, Copy) else size_of(piece)
