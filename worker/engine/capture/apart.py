"""Packs in a process of its own, so that reading files and packing them each have the interpreter
of a whole process: in one they keep each other waiting.

Segments go there and come back through shared memory (`shared.py`), where each is packed in its
place; what the two say to each other is in `pack_process.py`.
"""

from __future__ import annotations

import os
import select
from collections.abc import Sequence
from typing import Any, NamedTuple

from worker.engine import child
from worker.engine.archive.chunks import joined
from worker.engine.archive.keys import MasterKey
from worker.engine.capture.pack_process import ANSWER, ASK, UP, Answer, Ask
from worker.engine.capture.packing import (
    AHEAD,
    Bytes,
    Packed,
    Raw,
    Same,
    pack_or_know,
    room_for,
    workers,
)
from worker.engine.capture.shared import Shared
from worker.engine.errors import EngineError
from worker.engine.progress import Progress

_FEW = 64  # pieces
_MOST = 256  # segments under way: a pipe holds what is said of so many
_PACKER = "worker.engine.capture.pack_process"
_LOOK_EVERY = 200  # milliseconds between two looks at whether the run is to end


class NotStarted(Exception):
    """The other process did not come up."""


class PackerDied(EngineError):
    """It was killed, perhaps for want of memory."""

    default_code = "PACKER_DIED"
    passing = True


class Apart:
    """See `packing.Packing`. Segments come back in the order in which they were given."""

    def __init__(self, master: MasterKey | None, progress: Progress, *, largest: int) -> None:
        """`largest`: bytes of a segment. Raises `NotStarted`, and what `progress` raises."""
        self._progress, self._master, self._under_way = progress, master, 0
        self._heard, self._answers = b"", dict[int, Answer]()
        try:
            self._shared = Shared.make(AHEAD + 2 * room_for(largest))
        except OSError as error:
            raise NotStarted(str(error)) from error
        try:
            self._start()
        except OSError as error:
            self._shared.close()
            raise NotStarted(str(error)) from error
        try:
            self._come_up()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        memory, size = self._shared.descriptor, self._shared.size
        task = {"memory": [memory, size], "workers": workers(), "master": _told(self._master)}
        self._process = child.start(_PACKER, task, [memory])
        assert self._process.stdin
        assert self._process.stdout
        self._ear, self._mouth = self._process.stdin.fileno(), self._process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._mouth, select.POLLIN)

    def _come_up(self) -> None:
        """One that ends without a word has not touched anything."""
        try:
            while len(self._heard) < len(UP):
                self._hear()
        except PackerDied as error:
            raise NotStarted(error.message) from error
        self._heard = self._heard[len(UP) :]

    def begin(self, raw: Raw) -> _Coming | _Packed | None:
        room = room_for(raw.size)
        here = room > self._shared.size  # larger than any slice: attributes without end
        if self._under_way == _MOST or (start := self._shared.take(1 if here else room)) is None:
            return None
        self._under_way += 1
        if here:
            return _Packed(pack_or_know(raw, self._master))
        self._put(raw.pieces, start)
        if raw.trial:
            raw.trial.forget()
        self._say(Ask(start, raw.size, room, raw.trial.number if raw.trial else 0, raw.level))
        return _Coming(self, start)

    def let_go(self) -> None:
        self._under_way -= 1
        self._shared.let_go()

    def close(self) -> None:
        child.end(self._process)
        self._shared.close()

    def packed(self, start: int) -> Packed:
        """What has become of the segment that was put there."""
        while start not in self._answers:
            self._hear()
            self._note_answers()
        answer = self._answers.pop(start)
        data = self._shared.memory[start : start + answer.length]
        record = answer.record if answer.sealed else b""
        return Packed(data, answer.raw_length, answer.sha256, record, answer.content)

    def _put(self, pieces: Sequence[Bytes], at: int) -> None:
        """Few long pieces one by one, many short ones joined before."""
        for piece in pieces if len(pieces) <= _FEW else [joined(pieces)]:
            self._shared.memory[at : at + len(piece)] = piece
            at += len(piece)

    def _say(self, ask: Ask) -> None:
        try:
            os.write(self._ear, ASK.pack(*ask))
        except BrokenPipeError:
            raise self._died() from None

    def _hear(self) -> None:
        """What it says within a moment. Raises `PackerDied`, and what `progress` raises."""
        self._progress.checkpoint()
        if self._poll.poll(_LOOK_EVERY):
            said = os.read(self._mouth, 65536)
            if not said:
                raise self._died()
            self._heard += said

    def _note_answers(self) -> None:
        whole = len(self._heard) // ANSWER.size * ANSWER.size
        for fields in ANSWER.iter_unpack(self._heard[:whole]):
            answer = Answer._make(fields)
            self._answers[answer.start] = answer
        self._heard = self._heard[whole:]

    def _died(self) -> PackerDied:
        what, why = child.cause(self._process)
        return PackerDied(
            f"The process that packs has ended ({what}).",
            hint=f"{why} What was sent so far is not sent again: start the backup again.",
        )


class _Coming:
    def __init__(self, apart: Apart, start: int) -> None:
        self._apart, self._start = apart, start

    def result(self) -> Packed:
        return self._apart.packed(self._start)


class _Packed(NamedTuple):
    made: Packed | Same

    def result(self) -> Packed | Same:
        return self.made


def _told(master: MasterKey | None) -> dict[str, Any] | None:
    if master is None:
        return None
    params = {**vars(master.params), "salt": master.params.salt.hex()}
    return {"params": params, "key_id": master.key_id.hex(), "secret": master.secret.hex()}
