"""The body of a request on its way: shows that it moves, and keeps to the limit."""

from __future__ import annotations

from collections.abc import Callable

from worker.engine.storage.bandwidth import Bandwidth

STEP = 256 * 1024  # bytes handed on at once: enough not to be felt, and 400 bytes/s are no stall


class Outgoing:
    """A part's bytes as a file that can be read again. `pulse` is called for each piece that is
    asked for: then the one before has left."""

    def __init__(
        self,
        data: bytes | bytearray,
        *,
        pulse: Callable[[], None],
        bandwidth: Bandwidth | None = None,
    ) -> None:
        self._data, self._position = memoryview(data), 0
        self._pulse, self._bandwidth = pulse, bandwidth

    def __len__(self) -> int:
        return len(self._data)

    def read(self, size: int = -1) -> memoryview:
        """The next piece, without a copy. Larger than asked for: urllib3 sends what it is given,
        and asks for so little that it would cost time. With a limit it is no larger."""
        if size < 0:
            size = len(self._data)
        elif not self._bandwidth:
            size = max(size, STEP)
        piece = self._data[self._position : self._position + size]
        self._position += len(piece)
        self._pulse()
        if self._bandwidth and piece:
            self._bandwidth.take(len(piece))
        return piece

    def seek(self, offset: int, whence: int = 0) -> int:
        start = (0, self._position, len(self._data))[whence]
        self._position = max(0, start + offset)
        return self._position

    def tell(self) -> int:
        return self._position
