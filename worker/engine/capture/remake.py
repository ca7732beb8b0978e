"""One segment of the last archive made anew: the same files in the same order, and nothing else."""

from __future__ import annotations

from worker.engine.archive.codec import looks_compressed
from worker.engine.archive.index import Like
from worker.engine.capture.lanes import Emit, Member, RawSegment


class Remade:
    """Takes members as `Lanes` do, and gives them to `emit` as one segment.

    `limit`: bytes; a file that has more by now gets slices of its own.
    """

    def __init__(self, limit: int, emit: Emit, like: Like) -> None:
        self.limit, self._emit = limit, emit
        self._open = RawSegment([], like=like)
        self._compressed = 0

    def add(self, member: Member) -> None:
        self._open.add(member)
        content = member.content
        self._compressed += len(content) if looks_compressed(content) else 0

    def emit(self, segment: RawSegment) -> None:
        """Past what was gathered: slices of a file that grew."""
        self.flush()
        self._emit(segment)

    def flush(self) -> None:
        segment, self._open = self._open, RawSegment([])
        segment.stored = 2 * self._compressed > segment.bytes
        if segment.size:
            self._emit(segment)
