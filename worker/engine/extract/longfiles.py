"""Writes long files past the page cache (O_DIRECT, open(2)), in threads of their own.

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
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from worker.engine.extract.pace import Pace
from worker.engine.extract.tarread import Member

LONG = 256 * 1024  # bytes from which on a file is long
_BLOCK = 1024 * 1024  # bytes a write
_BLOCKS = 8  # being filled or written at once
_WRITERS = 2
_SECTOR = 4096  # what addresses, offsets and sizes of direct writes are multiples of
_UNFINISHED = 16  # files whose last writes may still be under way
_ZEROS = bytes(_BLOCK)


@dataclass
class _File:
    """`close` is called when every byte is written, with the descriptor still open. `tail` are
    its last bytes, fewer than a sector; `hole`: it may end in one, so its size must be set."""

    descriptor: int
    size: int
    close: Callable[[], None]
    writes: list[Future[None]] = field(default_factory=list)
    tail: bytes = b""
    hole: bool = False


class LongFiles:
    """Takes one file after another from the caller's thread; `drain` before what must come after
    them, `abort` instead when something failed. Raises `OSError` for what the disk does, at the
    latest from `drain`."""

    def __init__(self) -> None:
        self._memory: mmap.mmap | None = None
        self._free: list[memoryview] = []
        self._busy: deque[tuple[Future[None], memoryview]] = deque()
        self._files: deque[_File] = deque()
        self._pool = ThreadPoolExecutor(_WRITERS, thread_name_prefix="write")

    def write(self, descriptor: int, member: Member, pace: Pace, close: Callable[[], None]) -> None:
        """The member's content into the empty file, and `close()` some time after.

        The descriptor is this object's from now on.
        """
        file = _File(descriptor, member.left, close)
        self._files.append(file)
        _set_direct(descriptor, on=True)
        for offset in range(0, file.size, _BLOCK):
            block = self._block()
            size = _fill(block, member, min(_BLOCK, file.size - offset), pace)
            self._submit(file, block, size, offset)
        while len(self._files) > _UNFINISHED:
            self._finish(self._files.popleft())

    def drain(self) -> None:
        """Every file is whole and closed when this returns."""
        while self._files:
            self._finish(self._files.popleft())

    def abort(self) -> None:
        """Let go of everything; no descriptor stays open. Nothing happens after `drain`."""
        self._pool.shutdown(cancel_futures=True)
        while self._files:
            os.close(self._files.popleft().descriptor)

    def _finish(self, file: _File) -> None:
        try:
            for write in file.writes:
                write.result()
            _set_direct(file.descriptor, on=False)
            _write_at(file.descriptor, memoryview(file.tail), file.size - len(file.tail))
            if file.hole:
                os.ftruncate(file.descriptor, file.size)
            file.close()
        finally:
            os.close(file.descriptor)

    def _submit(self, file: _File, block: memoryview, size: int, offset: int) -> None:
        if size == _BLOCK and block == _ZEROS:  # a MiB of zeros becomes a hole again
            file.hole = True
            self._free.append(block)
            return
        whole = size - size % _SECTOR
        file.tail = bytes(block[whole:size])
        write = self._pool.submit(_write_at, file.descriptor, block[:whole], offset)
        file.writes.append(write)
        self._busy.append((write, block))

    def _block(self) -> memoryview:
        """A block that nobody writes from; the memory is only taken for the first long file."""
        if self._memory is None:
            self._memory = mmap.mmap(-1, _BLOCKS * _BLOCK)
            self._free.extend(_cut(memoryview(self._memory)))
        while not self._free:
            write, block = self._busy.popleft()
            write.result()
            self._free.append(block)
        return self._free.pop()


def _cut(memory: memoryview) -> Iterator[memoryview]:
    return (memory[at : at + _BLOCK] for at in range(0, len(memory), _BLOCK))


def _fill(block: memoryview, member: Member, size: int, pace: Pace) -> int:
    done = 0
    while done < size:
        piece = member.read(size - done)
        block[done : done + len(piece)] = piece
        done += len(piece)
        pace.content(len(piece))
    return done


def _write_at(descriptor: int, data: memoryview, offset: int) -> None:
    while data:
        try:
            done = os.pwrite(descriptor, data, offset)
        except OSError as error:
            if error.errno != errno.EINVAL or not _set_direct(descriptor, on=False):
                raise
            continue
        data, offset = data[done:], offset + done


def _set_direct(descriptor: int, *, on: bool) -> bool:
    """Whether that changed anything: some file systems refuse the flag, others each write."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    wanted = flags | os.O_DIRECT if on else flags & ~os.O_DIRECT
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, wanted)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return False
    return wanted != flags
