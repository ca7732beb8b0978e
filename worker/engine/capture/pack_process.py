"""`python -m worker.engine.capture.pack_process`: packs segments beside the process that reads.

Standard input: a line of JSON, {memory: [descriptor, bytes], workers, master}, then `ASK`s.
Standard output: `UP`, then an `ANSWER` for each, in the order in which they are done. A segment's
tar bytes stand where the question says, and what is packed stands there once it is answered.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import traceback
from threading import Lock, Thread
from typing import Any, NamedTuple

from worker.engine import child
from worker.engine.archive.codec import Trial
from worker.engine.archive.keys import KdfParams, MasterKey
from worker.engine.archive.manifest import RECORD
from worker.engine.capture.packing import Packed, Raw, pack_or_know
from worker.engine.capture.shared import Shared
from worker.engine.capture.trials import ROWS
from worker.engine.memory import collect_rarely, keep_buffers

UP = b"up"
ASK = struct.Struct(">QQQQB")
ANSWER = struct.Struct(f">QQQ32s16s?{RECORD.size}s")


class Ask(NamedTuple):
    """Pack the `size` bytes at `start`, in a piece of `room` bytes. `trial`: a number, or 0."""

    start: int
    size: int
    room: int
    trial: int
    level: int


class Answer(NamedTuple):
    """What was put at `start` is packed, into `length` bytes; see `packing.Packed`."""

    start: int
    length: int
    raw_length: int
    sha256: bytes
    content: bytes
    sealed: bool
    record: bytes


class Packer:
    """Answers in as many threads as are to work."""

    def __init__(self, memory: Shared, master: MasterKey | None) -> None:
        self._memory, self._master = memory.memory, master
        self._asking, self._trials = Lock(), dict[int, Trial]()

    def run(self) -> None:
        """Until nobody asks any more. Ends the process where something goes wrong."""
        try:
            while asked := self._next():
                os.write(sys.stdout.fileno(), ANSWER.pack(*self._pack(*asked)))
        except BaseException:  # noqa: BLE001 - whoever asks would wait for this answer for ever
            traceback.print_exc()
            os._exit(1)

    def _next(self) -> tuple[Ask, Raw] | None:
        with self._asking:
            said = sys.stdin.buffer.read(ASK.size)
            if len(said) < ASK.size:
                return None
            ask = Ask._make(ASK.unpack(said))
            tar = self._memory[ask.start : ask.start + ask.size]
            return ask, Raw([tar], ask.size, ask.level, self._trial(ask, tar))

    def _trial(self, ask: Ask, tar: memoryview) -> Trial | None:
        """The first segment of those that share a trial is what is tried: see `trials.py`."""
        if not ask.trial:
            return None
        trial = self._trials.get(ask.trial % ROWS)
        if trial is None or trial.number != ask.trial:
            trial = self._trials[ask.trial % ROWS] = Trial([tar], ask.level, ask.trial)
        return trial

    def _pack(self, ask: Ask, raw: Raw) -> Answer:
        room = self._memory[ask.start : ask.start + ask.room]
        packed = pack_or_know(raw, self._master, room)
        assert isinstance(packed, Packed)
        assert len(packed.data) <= ask.room
        return Answer(
            ask.start, len(packed.data), packed.raw_length, packed.sha256, packed.content,
            bool(packed.record), packed.record,
        )  # fmt: skip


def main() -> None:
    child.end_with(os.getppid())
    keep_buffers()
    collect_rarely()
    task = json.loads(sys.stdin.buffer.readline())
    packer = Packer(Shared(*task["memory"]), _master(task["master"]))
    os.write(sys.stdout.fileno(), UP)
    threads = [Thread(target=packer.run) for _ in range(task["workers"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _master(told: dict[str, Any] | None) -> MasterKey | None:
    if told is None:
        return None
    salt, key_id, secret = (
        bytes.fromhex(text) for text in (told["params"].pop("salt"), told["key_id"], told["secret"])
    )
    return MasterKey(KdfParams(salt, **told["params"]), key_id, secret)


if __name__ == "__main__":
    main()
