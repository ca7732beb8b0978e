"""What a restore would change: a backup's index beside the live folder, without reading content.

A file counts as unchanged when its kind, size and time are those of the backup, a link when kind
and time are, a folder when it is one. What lies only in the live folder is removed where the
folder that holds it is replaced as a whole.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from worker.engine.archive.browse import PAGE
from worker.engine.archive.choice import Choice
from worker.engine.archive.index import DIRECTORY, FILE, SYMLINK
from worker.engine.archive.index_reader import Entry, IndexReader
from worker.engine.capture.source import SQLITE_MAGIC
from worker.engine.extract.membernames import is_reserved
from worker.engine.swap.entry import Entries
from worker.engine.swap.left_out import BESIDE, LeftOut, size_of

T = TypeVar("T")
E = TypeVar("E", "Entry", "_Live")

ADDED, REPLACED, REMOVED, UNCHANGED = "added", "replaced", "removed", "unchanged"
KEPT = "kept"
_KINDS = {stat.S_IFREG: FILE, stat.S_IFDIR: DIRECTORY, stat.S_IFLNK: SYMLINK}
_OTHER = "o"  # pipes, sockets, devices


@dataclass(frozen=True)
class Effect:
    """What happens to one entry. `size` in bytes: of the file restored, or removed; of all in a
    folder that is kept."""

    path: bytes
    what: str
    kind: str
    size: int


@dataclass(frozen=True)
class _Live:
    """An entry of the live folder."""

    path: bytes
    kind: str
    size: int
    mtime_ns: int


class Tally:
    """Entries of any kind, and the bytes of the files among them, by what happens to them."""

    def __init__(self) -> None:
        self.entries = dict.fromkeys((ADDED, REPLACED, REMOVED, KEPT, UNCHANGED), 0)
        self.bytes = dict(self.entries)

    def add(self, effect: Effect) -> None:
        self.entries[effect.what] += 1
        self.bytes[effect.what] += effect.size

    def as_dict(self) -> dict[str, dict[str, int]]:
        """`{"added": {"entries", "bytes"}, "replaced": …, "removed": …, "kept": …,
        "unchanged": …}`"""
        return {
            what: {"entries": self.entries[what], "bytes": self.bytes[what]}
            for what in self.entries
        }


def compare(
    index: IndexReader,
    live: Path,
    choice: Choice | None = None,
    left_out: LeftOut | None = None,
) -> Iterator[Effect]:
    """Every entry that a restore of `choice` (None: all) meets, in path order.

    What is `left_out` of backups stays, and a folder of it is one entry. A live folder that is
    missing counts as empty. `OSError` where it cannot be read; `ArchiveError` (PATH_NOT_FOUND),
    at the end, for a word of `choice` that met nothing.
    """
    with ExitStack() as opened:
        there = opened.enter_context(closing(Entries(live))) if live.exists() else None
        yield from _Comparison(index, there, choice, left_out).run()


class _Comparison:
    def __init__(
        self,
        index: IndexReader,
        live: Entries | None,
        choice: Choice | None,
        left_out: LeftOut | None,
    ) -> None:
        self._index, self._live, self._left_out = index, live, left_out
        self._choice = None if choice is None or choice.everything else choice

    def run(self) -> Iterator[Effect]:
        waiting = [self._pairs(self._index.root, _Live(b"", DIRECTORY, 0, 0), self._choice is None)]
        while waiting:
            coming, there, whole = next(waiting[-1], (None, None, False))
            if coming is None and there is None:
                waiting.pop()
                continue
            effect = self._effect(coming, there, whole)
            if effect is not None:
                yield effect
            folders = (_folder(coming), _folder(there))
            kept = effect is not None and effect.what == KEPT
            if any(folders) and not kept and self._enters(coming, there, whole):
                waiting.append(self._pairs(*folders, whole or self._means(coming)))
        if self._choice is not None:
            self._choice.demand_found()

    def _effect(self, coming: Entry | None, there: _Live | None, whole: bool) -> Effect | None:
        if coming is None:
            assert there is not None
            return self._effect_on(there, whole)
        if not (whole or self._means(coming)):
            return None
        what = ADDED if there is None else UNCHANGED if _same(coming, there) else REPLACED
        return Effect(coming.path, what, coming.kind, coming.size)

    def _effect_on(self, there: _Live, whole: bool) -> Effect | None:
        """On what is only in the live folder."""
        if not (whole or self._is_swept(there)):
            return None
        here = self._live
        if whole and self._left_out and here and self._left_out.stays(here, there.path):
            return Effect(there.path, KEPT, there.kind, size_of(here, there.path))
        return Effect(there.path, REMOVED, there.kind, there.size)

    def _means(self, coming: Entry | None) -> bool:
        """Whether the backup's entry is chosen, by itself or with its database."""
        if self._choice is None or coming is None:
            return self._choice is None
        meant = self._choice(coming.path, folder=coming.is_folder)
        return meant or (coming.is_file and self._choice.companion(coming.path))

    def _enters(self, coming: Entry | None, there: _Live | None, whole: bool) -> bool:
        """Whether there can be something to tell of below."""
        if whole or self._means(coming):
            return True
        path = coming.path if coming else there.path if there else b""
        return coming is not None and self._choice is not None and self._choice.may_hold(path)

    def _is_swept(self, there: _Live) -> bool:
        """Whether SQLite keeps it beside a database that is replaced."""
        base = next((there.path[: -len(end)] for end in BESIDE if there.path.endswith(end)), b"")
        if not base or self._choice is None or not self._choice(base, folder=False):
            return False
        if self._live is None or self._index.find(base) is None:
            return False
        return self._live.begins_with(base, SQLITE_MAGIC)

    def _pairs(
        self, coming: Entry | None, there: _Live | None, whole: bool
    ) -> Iterator[tuple[Entry | None, _Live | None, bool]]:
        """What lies in a folder of the backup and in one of the live folder, by name."""
        old, new = _ahead(self._there(there)), _ahead(self._children(coming))
        left, right = next(old), next(new)
        while left is not None or right is not None:
            if right is None or (left is not None and left.path < right.path):
                yield None, left, whole
                left = next(old)
            elif left is None or right.path < left.path:
                yield right, None, whole
                right = next(new)
            else:
                yield right, left, whole
                left, right = next(old), next(new)

    def _children(self, folder: Entry | None) -> Iterator[Entry]:
        after = b""
        while folder and (page := self._index.children(folder, after, PAGE)):
            yield from page
            after = page[-1].name

    def _there(self, folder: _Live | None) -> Iterator[_Live]:
        if folder is None or self._live is None:
            return
        prefix = folder.path + b"/" if folder.path else b""
        for path in (prefix + name for name in self._live.names(folder.path)):
            info = None if is_reserved(path) else self._live.info(path)
            if info is not None:
                yield _looked_at(path, info)


def _ahead(entries: Iterator[T]) -> Iterator[T | None]:
    """The entries, and None for ever after."""
    yield from entries
    while True:
        yield None


def _looked_at(path: bytes, info: os.stat_result) -> _Live:
    kind = _KINDS.get(stat.S_IFMT(info.st_mode), _OTHER)
    return _Live(path, kind, info.st_size if kind == FILE else 0, info.st_mtime_ns)


def _folder(entry: E | None) -> E | None:
    return entry if entry is not None and entry.kind == DIRECTORY else None


def _same(coming: Entry, there: _Live) -> bool:
    if coming.kind != there.kind:
        return False
    return coming.kind == DIRECTORY or (
        (coming.size, coming.mtime_ns) == (there.size, there.mtime_ns)
    )
