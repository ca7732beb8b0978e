"""Memory that two processes share, through which one hands bytes to the other in order.

It is cut into slots that are used in turn. Which are full, and which are free again, the two tell
each other by other means (`apart.py`): nothing here waits.
"""

from __future__ import annotations

import ctypes
import mmap
import os

from worker.engine import child

SLOT = 2 * 1024 * 1024  # bytes
SLOTS = 16
_WORTH = 16 * 1024  # bytes from which on a copy takes longer than letting go of the lock


class Ring:
    """One end of it. `descriptor` is the memory's, the same for both."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._map = mmap.mmap(descriptor, SLOTS * SLOT)
        self._memory = memoryview(self._map)
        self._slot = self._filled = 0

    @classmethod
    def make(cls) -> Ring:
        """An empty one. Raises `OSError`."""
        return child.share(SLOTS * SLOT, cls)

    def put(self, data: memoryview) -> int:
        """As much of `data` as the slot still takes; how much that was."""
        at = self._slot * SLOT + self._filled
        size = min(len(data), SLOT - self._filled)
        _copy(data[:size], self._memory[at : at + size])
        self._filled += size
        return size

    @property
    def full(self) -> bool:
        return self._filled == SLOT

    def turn(self) -> int:
        """Go on to the next slot; how many bytes stand in this one."""
        filled, self._filled = self._filled, 0
        self._slot = (self._slot + 1) % SLOTS
        return filled

    def take(self, size: int) -> memoryview:
        """The `size` bytes of this slot, as they lie there, and on to the next. They stay what
        they are until the other is told that the slot is free."""
        if not 0 < size <= SLOT:
            raise ValueError(f"a slot does not hold {size} bytes")
        at = self._slot * SLOT
        self._slot = (self._slot + 1) % SLOTS
        return self._memory[at : at + size]

    def close(self) -> None:
        """Nothing that was taken may be looked at any more."""
        self._memory.release()
        self._map.close()
        os.close(self.descriptor)


def _copy(data: memoryview, room: memoryview) -> None:
    """A long piece without the interpreter lock, which ctypes lets go of: others work meanwhile."""
    if len(data) < _WORTH or data.readonly:
        room[:] = data
        return
    source, target = ctypes.c_char.from_buffer(data), ctypes.c_char.from_buffer(room)
    ctypes.memmove(ctypes.addressof(target), ctypes.addressof(source), len(data))
