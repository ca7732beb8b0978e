"""Opens single frames of one archive, fetched from anywhere in it or from its index."""

from __future__ import annotations

from worker.engine.archive.frames import HEADER_SIZE, FrameHeader, Kind, open_frame, parse_header
from worker.engine.archive.keys import MasterKey, find_key
from worker.engine.config import PlanConfig
from worker.engine.errors import ArchiveError


def passphrases(plan: PlanConfig) -> tuple[str, ...]:
    """All that may open an archive of this plan, the present one first."""
    return tuple(key for key in (plan.encryption_key, *plan.previous_keys) if key)


class FrameOpener:
    """The first frame decides on the key; all others must be sealed with the same one."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self._keys = keys
        self._master: MasterKey | None = None

    def header(self, raw: bytes | memoryview, kind: Kind) -> FrameHeader:
        """Check a header before its body is fetched. `KeyMismatch` when no key fits."""
        header = parse_header(raw)
        if self._master is None:
            self._master = find_key(self._keys, header.params, header.key_id)
        if (header.params, header.key_id) != (self._master.params, self._master.key_id):
            raise ArchiveError(
                "A frame is sealed with another key than the rest of its archive.",
                code="FRAME_FOREIGN",
            )
        if header.kind is not kind:
            raise ArchiveError("A frame of another kind stands where one was looked for.")
        return header

    def body(self, header: FrameHeader, body: bytes | memoryview) -> bytes:
        """What is inside; nothing unless all of it is authentic."""
        assert self._master is not None
        return open_frame(header, body, self._master)

    def open(self, frame: bytes | memoryview, kind: Kind) -> bytes:
        """A whole frame, header and body and nothing more."""
        view = memoryview(frame)
        header = self.header(view[:HEADER_SIZE], kind)
        if len(view) != HEADER_SIZE + header.length:
            raise ArchiveError("A frame is not as long as its header says.")
        return self.body(header, view[HEADER_SIZE:])
