"""`python -m worker.engine.extract.unpacker`: unpacks beside the process that reads the archive.

Standard input: a line of JSON that says what to do, then a line for each full slot of the ring with
the number of bytes in it, and 0 at the end. Standard output: lines of JSON, one key each: `ready`
slots that are free again, `advance` [files, bytes], `warn` [code, path, message], and at the end
`done`, or `failed` {error, code, message, hint}. Whatever is not said so is on standard error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from worker.engine import child
from worker.engine.errors import EngineError
from worker.engine.extract.extract import Room, extract
from worker.engine.extract.limits import Limits
from worker.engine.extract.outside_links import OutsideLinks
from worker.engine.extract.ring import SLOTS, Ring
from worker.engine.memory import collect_rarely, keep_buffers
from worker.engine.progress import Progress, SourceWarning

_AT_ONCE = 2  # free slots that are worth a word: fewer than there are, or both would wait


class Asked(Progress):
    """Tells the process that asked."""

    def __init__(self) -> None:
        self._lock = Lock()

    def say(self, **what: Any) -> None:
        line = json.dumps(what) + "\n"
        with self._lock:
            sys.stdout.write(line)
            sys.stdout.flush()

    def advance(self, *, files: int = 0, bytes: int = 0, sent: int = 0) -> None:
        self.say(advance=[files, bytes])

    def warn(self, warning: SourceWarning) -> None:
        self.say(warn=[warning.code, warning.path, warning.message])


class Slots:
    """The archive's tar bytes, slot after slot; the end is when the other says so.

    A slot is free again when it was left and nobody holds it, and all before it are free.
    """

    def __init__(self, ring: Ring, asked: Asked) -> None:
        self._ring, self._asked = ring, asked
        self._rest = memoryview(b"")
        self._over = False
        self._lock = Lock()
        self._now, self._oldest = -1, 0  # slots, counted on and on
        self._told = 0  # of how many it was said that they are free
        self._holders = [0] * SLOTS

    def read(self, size: int) -> memoryview:
        """Good until the next is read, unless it is held."""
        if not self._rest and not self._over:
            self._next()
        out, self._rest = self._rest[:size], self._rest[size:]
        return out

    def hold(self) -> Callable[[], None]:
        """The slot that was read last. What this returns may be called in another thread."""
        with self._lock:
            self._holders[self._now % SLOTS] += 1
        return partial(self._let_go, self._now)

    def _let_go(self, slot: int) -> None:
        with self._lock:
            self._holders[slot % SLOTS] -= 1
            self._free()

    def _free(self) -> None:
        while self._oldest < self._now and not self._holders[self._oldest % SLOTS]:
            self._oldest += 1
        if (free := self._oldest - self._told) >= _AT_ONCE:
            self._asked.say(ready=free)
            self._told = self._oldest

    def _next(self) -> None:
        with self._lock:
            self._now += 1
            self._free()
        line = sys.stdin.readline()
        if not line:
            sys.exit("whoever reads the archive has gone")
        size = int(line)
        self._over = not size
        if size:
            self._rest = self._ring.take(size)


def main() -> None:
    child.end_with(os.getppid())
    keep_buffers()
    collect_rarely()
    asked, task = Asked(), json.loads(sys.stdin.readline())
    asked.say(ready=0)
    try:
        result = _extract(asked, task)
    except EngineError as error:
        asked.say(failed={"error": type(error).__name__, **error.as_dict()})
    else:
        asked.say(done=vars(result))


def _extract(asked: Asked, task: dict[str, Any]) -> Any:
    links = task["links"]
    return extract(
        Slots(Ring(task["ring"]), asked),
        Path(os.fsdecode(bytes.fromhex(task["target"]))),
        asked,
        room=Room(Limits(**task["limits"]), task["space"]),
        owner=task["owner"],
        setuid=task["setuid"],
        durable=False,
        outside_link=OutsideLinks(
            links["every"],
            Path(os.fsdecode(bytes.fromhex(links["as_in"]))) if links["as_in"] else None,
        ),
    )


if __name__ == "__main__":
    main()
