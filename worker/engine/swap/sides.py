"""The three folders of a swap of single entries, and the moves between them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import count
from pathlib import Path

from worker.engine.crashpoints import crashpoint
from worker.engine.swap.entry import Entries, exchange, move
from worker.engine.swap.left_out import BESIDE
from worker.engine.swap.site import OWN
from worker.engine.swap.units import Unit

_STRAYS = os.fsencode(f"{OWN}written-meanwhile")
_OWNER_ALL = 0o700


class Sides:
    """`new` is what is to come, `here` what is there, `old` what is kept.

    `exchanging` is False once the file system turned out to know no exchange.
    """

    def __init__(self, new: Entries, here: Entries, old: Entries, safety: Path) -> None:
        self.new, self.here, self.old = new, here, old
        self._safety, self.exchanging = safety, True

    def exchanged(self, side: Entries, path: bytes) -> bool:
        """Whether the entry of that side and the one that is there have changed places."""
        self.exchanging = self.exchanging and exchange(side, self.here, path)
        return self.exchanging

    def file(self, source: Entries, path: bytes) -> None:
        """Into the safety copy; aside in it, if something of that name is there already."""
        self.old.make_parent(path, like=self.here)
        if self.old.info(path):
            self.put_aside(source, path)
        else:
            move(source, path, self.old)

    def put_aside(self, source: Entries, path: bytes) -> None:
        """Somebody wrote to the folder meanwhile: theirs is kept, but not in the way."""
        (self._safety / os.fsdecode(_STRAYS)).mkdir(mode=_OWNER_ALL, exist_ok=True)
        name = _STRAYS + b"/" + path.rpartition(b"/")[2]
        free = next(new for n in count() if not self.old.info(new := b"%s.%d" % (name, n)))
        move(source, path, self.old, free)

    def sweep(self, unit: Unit) -> None:
        """What SQLite keeps beside the database that goes must not meet the one that comes."""
        for path in logs(unit):
            if self.here.info(path):
                self.file(self.here, path)
                crashpoint("parts.swept")


def logs(unit: Unit) -> list[bytes]:
    """What SQLite may keep beside it, if it is a database."""
    return [unit.path + suffix for suffix in BESIDE if unit.database]


@contextmanager
def opened(staged: Path, live: Path, safety: Path) -> Iterator[Sides]:
    with ExitStack() as stack:
        new, here, old = (
            stack.enter_context(closing(Entries(folder))) for folder in (staged, live, safety)
        )
        yield Sides(new, here, old, safety)
