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
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

from worker.engine.extract.pace import Pace
from worker.engine.extract.tarread import Member

LONG = 64 * 1024  # bytes from which on a file is long
_BLOCK = 1024 * 1024  # bytes a write
_BLOCKS = 8  # being filled or written at once
_WRITERS = 2
_SECTOR = 4096  # what addresses, offsets and sizes of direct writes are multiples of
_ZEROS = bytes(_BLOCK)


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


class LongFiles:
    """Takes one file after another from the caller's thread; `drain` before what must come after
    them, `abort` instead when something failed. Raises `OSError` for what the disk does, at the
    latest from `drain`."""

    def __init__(self) -> None:
        self._memory: mmap.mmap | None = None
        self._free: list[memoryview] = []
        self._writes: deque[Future[None]] = deque()
        self._files: set[_File] = set()
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(_WRITERS, thread_name_prefix="write")

    def write(self, descriptor: int, member: Member, pace: Pace, close: Callable[[], None]) -> None:
        """The member's content into the empty file, and `close()` some time after, in the thread
        that has written the last of it.

        The descriptor is this object's from now on. The content must not be empty.
        """
        file = _File(descriptor, member.left, -(-member.left // _BLOCK), close)
        self._files.add(file)
        _set_direct(descriptor, on=True)
        for offset in range(0, file.size, _BLOCK):
            block = self._block()
            size = _fill(block, member, min(_BLOCK, file.size - offset), pace)
            self._writes.append(self._pool.submit(self._write, file, block, size, offset))

    def drain(self) -> None:
        """Every file is whole and closed when this returns."""
        while self._writes:
            self._writes.popleft().result()

    def abort(self) -> None:
        """Let go of everything; no descriptor stays open. Nothing happens after `drain`."""
        self._pool.shutdown(cancel_futures=True)
        while self._files:
            os.close(self._files.pop().descriptor)

    def _write(self, file: _File, block: memoryview, size: int, offset: int) -> None:
        """One block, and the file's end with the last one."""
        if size == _BLOCK and block == _ZEROS:  # a MiB of zeros becomes a hole again
            file.hole = True
        else:
            whole = size - size % _SECTOR
            _write_at(file.descriptor, block[:whole], offset)
            file.tail = file.tail or bytes(block[whole:size])
        with self._lock:
            file.left -= 1
            last = not file.left
        if last:
            self._finish(file)
        self._free.append(block)

    def _finish(self, file: _File) -> None:
        if file.tail:
            _set_direct(file.descriptor, on=False)
            _write_at(file.descriptor, memoryview(file.tail), file.size - len(file.tail))
        if file.hole:
            os.ftruncate(file.descriptor, file.size)
        file.close()
        self._files.remove(file)
        os.close(file.descriptor)

    def _block(self) -> memoryview:
        """A block that nobody writes from; the memory is only taken for the first long file."""
        if self._memory is None:
            self._memory = mmap.mmap(-1, _BLOCKS * _BLOCK)
            self._free.extend(_cut(memoryview(self._memory)))
        while len(self._writes) >= _BLOCKS:
            self._writes.popleft().result()
        return self._free.pop()


def _cut(memory: memoryview) -> Iterator[memoryview]:
    return (memory[at : at + _BLOCK] for at in range(0, len(memory), _BLOCK))


def _fill(block: memoryview, member: Member, size: int, pace: Pace) -> int:
    done = 0
    while done < size:
        piece = member.read(size - done)
        block[done : done + len(piece)] = piece
        done += len(piece)
    pace.content(size)
    return size


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
