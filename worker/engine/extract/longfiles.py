"""Writes all but short files past the page cache (O_DIRECT, open(2)), in threads of their own.

A restore fills a disk with bytes that nobody reads soon. Through the page cache each of them is
copied into a fresh page first, which costs as much CPU as all unpacking, pushes out what other
programs have cached, and leaves everything to be waited for at the end (docs/design.md has the
figures). Where the file system does not take direct writes, ordinary ones are done instead.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock, local

from worker.engine.extract.pace import Pace
from worker.engine.extract.tarread import Member

LONG = 64 * 1024  # bytes from which on a file is long
_BLOCK = 1024 * 1024  # bytes a write
_BLOCKS = 8  # waiting to be written, or being written
_WRITERS = 2
_SECTOR = 4096  # what addresses, offsets and sizes of direct writes are multiples of
_SMALL = 4096  # bytes: shorter pieces are put together
_OFTEN = 16  # times in a row; it is not tried again after that
_ZEROS = memoryview(bytes(_BLOCK))


@dataclass(eq=False)
class _File:
    """`close` is called when every byte is written, with the descriptor still open. `left` blocks
    are still to come; `hole`: one of them is left out, so the file's size must be set."""

    descriptor: int
    size: int
    left: int
    close: Callable[[], None]
    tail: bytes = b""  # its last bytes, fewer than a sector
    hole: bool = False


@dataclass(frozen=True)
class _Block:
    """Content in pieces as they lie in memory, which stays theirs until `let_go` is called."""

    pieces: list[memoryview]
    size: int
    offset: int
    let_go: list[Callable[[], None]]


class LongFiles:
    """Takes one file after another from the caller's thread; `drain` before what must come after
    them, `abort` instead when something failed. Raises `OSError` for what the disk does, at the
    latest from `drain`."""

    def __init__(self) -> None:
        self._writes: deque[Future[None]] = deque()
        self._files: set[_File] = set()
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(_WRITERS, thread_name_prefix="write")
        self._writer = Writer()

    def write(self, descriptor: int, member: Member, pace: Pace, close: Callable[[], None]) -> None:
        """The member's content into the empty file, and `close()` some time after, in the thread
        that has written the last of it.

        The descriptor is this object's from now on. The content must not be empty.
        """
        file = _File(descriptor, member.left, -(-member.left // _BLOCK), close)
        self._files.add(file)
        _set_direct(descriptor, on=True)
        for offset in range(0, file.size, _BLOCK):
            while len(self._writes) >= _BLOCKS:
                self._writes.popleft().result()
            block = _gather(member, min(_BLOCK, file.size - offset), offset)
            pace.content(block.size)
            self._writes.append(self._pool.submit(self._write, file, block))

    def drain(self) -> None:
        """Every file is whole and closed when this returns."""
        while self._writes:
            self._writes.popleft().result()

    def abort(self) -> None:
        """Let go of everything; no descriptor stays open. Nothing happens after `drain`."""
        self._pool.shutdown(cancel_futures=True)
        while self._files:
            os.close(self._files.pop().descriptor)

    def _write(self, file: _File, block: _Block) -> None:
        """One block, and the file's end with the last one."""
        if block.size == _BLOCK and all(piece == _ZEROS[: len(piece)] for piece in block.pieces):
            file.hole = True  # a MiB of zeros becomes a hole again
        else:
            whole = block.size - block.size % _SECTOR
            self._writer.write(file.descriptor, _cut(block.pieces, 0, whole), block.offset)
            file.tail = file.tail or b"".join(_cut(block.pieces, whole, block.size))
        for let_go in block.let_go:
            let_go()
        with self._lock:
            file.left -= 1
            last = not file.left
        if last:
            self._finish(file)

    def _finish(self, file: _File) -> None:
        if file.tail:
            _set_direct(file.descriptor, on=False)
            _write_at(file.descriptor, memoryview(file.tail), file.size - len(file.tail))
        if file.hole:
            os.ftruncate(file.descriptor, file.size)
        file.close()
        self._files.remove(file)
        os.close(file.descriptor)


class Writer:
    """Writes pieces side by side, from where they lie where their addresses allow for that."""

    def __init__(self) -> None:
        self._in_vain = 0  # times in a row that pieces were not taken as they lie
        self._rooms = local()

    def write(self, descriptor: int, pieces: list[memoryview], offset: int) -> None:
        if self._in_vain < _OFTEN and pieces:
            done = _try_all(descriptor, pieces, offset)
            self._in_vain = 0 if done else self._in_vain + 1
            pieces, offset = _cut(pieces, done, sum(map(len, pieces))), offset + done
        if pieces:
            _write_at(descriptor, self._gathered(pieces), offset)

    def _gathered(self, pieces: list[memoryview]) -> memoryview:
        """At an address that any direct write takes; this thread's, until the next."""
        room: memoryview | None = getattr(self._rooms, "room", None)
        if room is None:
            room = self._rooms.room = memoryview(mmap.mmap(-1, _BLOCK))
        end = 0
        for piece in pieces:
            room[end : end + len(piece)] = piece
            end += len(piece)
        return room[:end]


def _try_all(descriptor: int, pieces: list[memoryview], offset: int) -> int:
    """How many bytes went; 0 where the pieces' addresses or lengths are not taken."""
    try:
        return os.pwritev(descriptor, pieces, offset)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return 0


def _gather(member: Member, size: int, offset: int) -> _Block:
    pieces: list[memoryview | bytearray] = []
    let_go: list[Callable[[], None]] = []
    left = size
    while left:
        piece = member.read(left)
        left -= len(piece)
        if len(piece) >= _SMALL:
            pieces.append(memoryview(piece))
            let_go.append(member.hold())
            continue
        # An archive may be made of a million members of a byte each: what is small is copied.
        if not pieces or not isinstance(pieces[-1], bytearray):
            pieces.append(bytearray())
        pieces[-1] += piece  # type: ignore[operator]
    return _Block([memoryview(piece) for piece in pieces], size, offset, let_go)


def _cut(pieces: list[memoryview], start: int, end: int) -> list[memoryview]:
    """The bytes from `start` to `end` of all together."""
    found, at = [], 0
    for piece in pieces:
        part = piece[max(0, start - at) : max(0, end - at)]
        if part:
            found.append(part)
        at += len(piece)
    return found


def _write_at(descriptor: int, data: memoryview, offset: int) -> None:
    direct = True
    while data:
        try:
            done = os.pwrite(descriptor, data, offset)
        except OSError as error:
            if error.errno != errno.EINVAL or not direct:
                raise
            direct = _set_direct(descriptor, on=False)
            continue
        data, offset = data[done:], offset + done


def _set_direct(descriptor: int, *, on: bool) -> bool:
    """Whether writes are direct now: some file systems refuse the flag, others each write."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_DIRECT if on else 0)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return False
    return on
