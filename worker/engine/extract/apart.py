"""Unpacks in a process of its own, so that reading an archive and writing its files each have the
interpreter of a whole process: in one they keep each other waiting for a quarter of the time.

What is to be unpacked goes through shared memory (`ring.py`); what the other process says is in
`unpacker.py`.
"""

from __future__ import annotations

import json
import os
import select
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from worker.engine import child
from worker.engine.errors import ArchiveError, EngineError, TargetError
from worker.engine.extract.blocks import Piece, Readable
from worker.engine.extract.extract import ExtractResult, Room
from worker.engine.extract.outside_links import OutsideLinks
from worker.engine.extract.ring import SLOT, SLOTS, Ring
from worker.engine.extract.syncing import synced
from worker.engine.extract.target_errors import as_target_error
from worker.engine.progress import Progress, SourceWarning

_UNPACKER = "worker.engine.extract.unpacker"
_LOOK_EVERY = 200  # milliseconds between two looks at whether the run is to end
_MEALS = 4  # pieces of a slot's size that wait to be fed
_ERRORS: dict[str, type[EngineError]] = {
    error.__name__: error for error in (ArchiveError, TargetError)
}


class NotStarted(Exception):
    """The other process did not come up. Nothing was unpacked; `begun` was read from the stream."""

    def __init__(self, why: str, begun: Piece = b"") -> None:
        super().__init__(why)
        self.begun = begun


def extract_apart(
    stream: Readable,
    target: Path,
    progress: Progress,
    *,
    room: Room,
    owner: bool,
    setuid: bool,
    durable: bool,
    links: OutsideLinks,
) -> ExtractResult:
    """As `extract`, with the same errors; `TargetError` (UNPACKER_DIED) where the other process is
    killed, `NotStarted` where this machine has none."""
    task = {
        "target": os.fsencode(target).hex(),
        "limits": vars(room.limits),
        "space": room.space,
        "owner": owner,
        "setuid": setuid,
        "links": {"every": links.every, "as_in": os.fsencode(links.as_in or "").hex()},
    }
    with (
        as_target_error("unpacking the backup"),
        synced(target, progress, wanted=durable),
        _started(task, progress) as unpacker,
    ):
        piece = stream.read(SLOT)  # meanwhile it comes up
        try:
            unpacker.come_up()
        except TargetError as error:
            raise NotStarted(error.message, piece) from error
        while piece:
            unpacker.feed(memoryview(piece))
            piece = stream.read(SLOT)
        return unpacker.end()


def _started(task: dict[str, Any], progress: Progress) -> _Unpacker:
    try:
        return _Unpacker(task, progress)
    except OSError as error:
        raise NotStarted(str(error)) from error


class _Unpacker:
    """The other process, from its start to its end; killed when the block is left early.

    It is fed by a thread, so that whoever reads the archive can go on to the next segment.
    """

    def __init__(self, task: dict[str, Any], progress: Progress) -> None:
        """Raises `OSError` where it cannot be started."""
        self._progress = progress
        self._ring = Ring.make()
        self._free = SLOTS - 1  # besides the one that is being filled
        self._said = b""
        self._up = False
        self._result: ExtractResult | None = None
        try:
            task = {**task, "ring": self._ring.descriptor}
            self._process = child.start(_UNPACKER, task, [self._ring.descriptor])
        except OSError:
            self._ring.close()
            raise
        assert self._process.stdout is not None
        self._mouth = self._process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._mouth, select.POLLIN)
        self._feeder = ThreadPoolExecutor(1, thread_name_prefix="feed")
        self._meals: deque[Future[None]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._feeder.shutdown(cancel_futures=True)
        child.end(self._process)
        self._ring.close()

    def come_up(self) -> None:
        """Waits until it has said something. Raises `TargetError` where it ends without a word."""
        while not self._up:
            self._hear(_LOOK_EVERY)
            self._progress.checkpoint()

    def feed(self, data: memoryview) -> None:
        """In order; waits while the other is behind."""
        self._meals.append(self._feeder.submit(self._put, data))
        while len(self._meals) > _MEALS:
            self._meals.popleft().result()

    def end(self) -> ExtractResult:
        """All was fed: wait until it is unpacked."""
        while self._meals:
            self._meals.popleft().result()
        self._hand_on()
        self._tell(0)
        while self._result is None:
            self._hear(_LOOK_EVERY)
            self._progress.checkpoint()
        return self._result

    def _put(self, data: memoryview) -> None:
        while data:
            data = data[self._ring.put(data) :]
            if self._ring.full:
                self._hand_on()

    def _hand_on(self) -> None:
        if size := self._ring.turn():
            self._tell(size)
            self._free -= 1
        self._hear(0)
        while self._free < 0:
            self._hear(_LOOK_EVERY)
            self._progress.checkpoint()

    def _tell(self, size: int) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(b"%d\n" % size)
            self._process.stdin.flush()
        except BrokenPipeError:
            self._hear(_LOOK_EVERY)  # why it has ended
            raise self._died() from None

    def _hear(self, patience: int) -> None:
        """What was said within so many milliseconds. Raises what went wrong there."""
        while self._result is None and self._poll.poll(patience):
            heard = os.read(self._mouth, 65536)
            if not heard:
                raise self._died()
            *lines, self._said = (self._said + heard).split(b"\n")
            for line in lines:
                self._take(json.loads(line))
            patience = 0

    def _take(self, said: dict[str, Any]) -> None:
        ((what, value),) = said.items()
        self._up = True
        if what == "ready":
            self._free += value
        elif what == "advance":
            self._progress.advance(files=value[0], bytes=value[1])
        elif what == "warn":
            self._progress.warn(SourceWarning(*value))
        elif what == "done":
            self._result = ExtractResult(**value)
        else:
            error = _ERRORS.get(value["error"], EngineError)
            raise error(value["message"], hint=value["hint"], code=value["code"])

    def _died(self) -> TargetError:
        what, why = child.cause(self._process)
        return TargetError(
            f"The process that unpacks has ended ({what}).",
            code="UNPACKER_DIED",
            hint=f"{why} Nothing was changed: try again.",
        )
