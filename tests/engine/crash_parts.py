"""Run as a program that dies: `python -m tests.engine.crash_parts ACTION LIVE WAY`.

ACTION `put` stages new entries beside LIVE and exchanges them for those that are there; `undo`
puts the safety copy back; `fail` is a `put` on a disk that fails at the fifth exchange;
`recover` is the start after the crash. WAY is `exchange`, or `rename` for a
file system that knows no exchange. TARKEEP_CRASH_AT says where to die.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from worker.engine.archive.choice import Choice
from worker.engine.part_list import list_parts
from worker.engine.progress import Progress
from worker.engine.swap import sides
from worker.engine.swap.entry import Entries
from worker.engine.swap.parts import PARTS
from worker.engine.swap.site import look
from worker.engine.swap.staging import staging
from worker.engine.swap.swap import finish_interrupted, swap

NOW = datetime(2025, 8, 29, 5, tzinfo=UTC)
WORDS = [
    "state.json",
    "media",
    "deep/er/new.txt",
    "*.db",
    "link",
    "gone/away/file",
    "deep/now-a-file",
]


def fill_old(live: Path) -> None:
    """What is there before: half of it is named in WORDS."""
    for name in ("state.json", "keep.json", "media/a", "media/only-old", "deep/er/kept.txt",
                 "deep/now-a-file/inner"):  # fmt: skip
        write(live / name, "old")
    (live / "link").symlink_to("old-target")
    database(live / "one.db", "old")
    for suffix in ("-wal", "-shm", "-journal"):
        (live / f"one.db{suffix}").write_text(f"old {suffix}")
    (live / "media").chmod(0o555)  # to move it takes rights that only root has anyway
    write(live / "not.db", "no database")
    (live / "not.db-wal").write_text("nobody's")


def fill_new(staged: Path) -> None:
    """What was fetched of the backup."""
    for name in ("state.json", "media/a", "media/only-new", "deep/er/new.txt", "gone/away/file",
                 "deep/now-a-file"):  # fmt: skip
        write(staged / name, "new")
    (staged / "link").symlink_to("new-target")
    for name in ("one.db", "two.db"):
        database(staged / name, "new")
    (staged / "two.db-wal").write_text("new, copied with its database")
    write(staged / "not.db", "no database either")
    (staged / "gone").chmod(0o750)


def database(file: Path, word: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE words (word)")
        connection.execute("INSERT INTO words VALUES (?)", (word,))
        connection.commit()


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def put(live: Path) -> None:
    site = replace(look(live), mode=PARTS)
    with staging(site, Progress()) as staged:
        fill_new(staged)
        list_parts(staged, live, Choice(WORDS))
        swap(site, staged, site.safety_copy(NOW))


def undo(live: Path) -> None:
    site = replace(look(live), mode=PARTS)
    (copy,) = live.parent.glob("data.before-restore-*")
    swap(site, copy, site.safety_copy(NOW))


def fail(live: Path) -> None:
    exchange, calls = sides.exchange, count(1)

    def failing(one: Entries, other: Entries, path: bytes) -> bool:
        if next(calls) == 5:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return exchange(one, other, path)

    sides.exchange = failing
    put(live)


if __name__ == "__main__":
    _, action, live_name, way = sys.argv
    if way == "rename":
        sides.exchange = lambda *_: False
    actions = {"put": put, "undo": undo, "fail": fail, "recover": finish_interrupted}
    actions[action](Path(live_name))
