"""Packs in a process of its own, so that reading files and packing them each have the interpreter
of a whole process: in one they keep each other waiting.

Segments go there and come back through shared memory (`shared.py`), where each is packed in its
place; what the two say to each other is in `pack_process.py`.
"""

from __future__ import annotations

import os
import select
from collections import deque
from typing import Any

from worker.engine import child
from worker.engine.archive.keys import MasterKey
from worker.engine.capture.pack_process import ANSWER, ASK, Answer, Ask
from worker.engine.capture.packing import Packed, Raw, room_for, workers
from worker.engine.capture.shared import Shared
from worker.engine.errors import EngineError
from worker.engine.progress import Progress

AHEAD = 16 * 1024 * 1024  # bytes of tar
_LOOK_EVERY = 200  # milliseconds between two looks at whether the run is to end


class NotStarted(Exception):
    """The other process did not come up."""


class Apart:
    """See `packing.Packing`. Segments come back in the order in which they were given."""

    def __init__(self, master: MasterKey | None, progress: Progress, *, largest: int) -> None:
        """`largest`: bytes of a segment. Raises `NotStarted`."""
        self._progress = progress
        try:
            self._shared = Shared.make(AHEAD + 2 * room_for(largest))
        except OSError as error:
            raise NotStarted(str(error)) from error
        task = {
            "memory": [self._shared.descriptor, self._shared.size],
            "workers": workers(),
            "master": _told(master),
        }
        try:
            self._process = child.start(
                "worker.engine.capture.pack_process", task, [self._shared.descriptor]
            )
        except OSError as error:
            self._shared.close()
            raise NotStarted(str(error)) from error
        assert self._process.stdin and self._process.stdout
        self._ear, self._mouth = self._process.stdin.fileno(), self._process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._mouth, select.POLLIN)
        self._heard = b""
        self._answers: dict[int, Answer] = {}

    def begin(self, raw: Raw) -> _Coming | None:
        size = len(raw.tar)
        start = self._shared.take(room_for(size))
        if start is None:
            return None
        self._shared.memory[start : start + size] = raw.tar
        trial = raw.trial.number if raw.trial else 0
        if raw.trial:
            raw.trial.forget()
        self._say(Ask(start, size, room_for(size), trial, raw.level))
        return _Coming(self, start)

    def let_go(self) -> None:
        self._shared.let_go()

    def close(self) -> None:
        child.end(self._process)
        self._shared.close()

    def packed(self, start: int) -> Packed:
        """What has become of the segment that was put there."""
        while start not in self._answers:
            self._hear()
        answer = self._answers.pop(start)
        data = self._shared.memory[start : start + answer.length]
        record = answer.record if answer.sealed else b""
        return Packed(data, answer.raw_length, answer.sha256, record, answer.content)

    def _say(self, ask: Ask) -> None:
        try:
            os.write(self._ear, ASK.pack(*ask))  # the pipe holds more than are ever under way
        except BrokenPipeError:
            raise self._died() from None

    def _hear(self) -> None:
        self._progress.checkpoint()
        if not self._poll.poll(_LOOK_EVERY):
            return
        said = os.read(self._mouth, 65536)
        if not said:
            raise self._died()
        self._heard += said
        whole = len(self._heard) // ANSWER.size * ANSWER.size
        for fields in ANSWER.iter_unpack(self._heard[:whole]):
            answer = Answer._make(fields)
            self._answers[answer.start] = answer
        self._heard = self._heard[whole:]

    def _died(self) -> EngineError:
        what, why = child.cause(self._process)
        return EngineError(
            f"The process that packs has ended ({what}).",
            code="PACKER_DIED",
            hint=f"{why} What was sent so far is not sent again: start the backup again.",
        )


class _Coming:
    def __init__(self, apart: Apart, start: int) -> None:
        self._apart, self._start = apart, start

    def result(self) -> Packed:
        return self._apart.packed(self._start)


def _told(master: MasterKey | None) -> dict[str, Any] | None:
    if master is None:
        return None
    params = {**vars(master.params), "salt": master.params.salt.hex()}
    return {"params": params, "key_id": master.key_id.hex(), "secret": master.secret.hex()}
