"""Memory that two processes share, cut into pieces that are let go of in the order they were
taken in. Nothing here waits: who may look at which piece the two tell each other."""

from __future__ import annotations

import contextlib
import mmap
import os
from collections import deque

from worker.engine import child

_ALIGNED = 64  # bytes


class Shared:
    """One process's view of it. `descriptor` is the memory's, the same for both."""

    def __init__(self, descriptor: int, size: int) -> None:
        self.descriptor, self.size = descriptor, size
        self._map = mmap.mmap(descriptor, size)
        self.memory = memoryview(self._map)
        self._pieces: deque[tuple[int, int]] = deque()  # where each begins and ends, oldest first

    @classmethod
    def make(cls, size: int) -> Shared:
        """Empty memory; pages count once touched. Raises `OSError`."""
        return child.share(size, lambda descriptor: cls(descriptor, size))

    def take(self, size: int) -> int | None:
        """Where `size` bytes in a row begin that nobody uses; None where there are none now."""
        start = self._free(-(-size // _ALIGNED) * _ALIGNED)
        if start is not None:
            self._pieces.append((start, start + -(-size // _ALIGNED) * _ALIGNED))
        return start

    def let_go(self) -> None:
        """Of the oldest piece."""
        self._pieces.popleft()

    def _free(self, size: int) -> int | None:
        if not self._pieces:
            return 0 if size <= self.size else None
        oldest, newest = self._pieces[0][0], self._pieces[-1][1]
        if newest > oldest and size <= self.size - newest:  # behind all others
            return newest
        room = oldest if newest > oldest else oldest - newest  # before them, or in between
        start = 0 if newest > oldest else newest
        return start if size <= room else None

    def close(self) -> None:
        """What somebody still looks at stays until nobody does."""
        os.close(self.descriptor)
        self.memory.release()
        with contextlib.suppress(BufferError):
            self._map.close()
