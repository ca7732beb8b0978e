"""Which part of a backup is meant: files and folders by their paths, or patterns.

Of words that people write, what holds none of `*`, `?`, `[` and `\\` is exactly that path; anything
else is a gitignore pattern by the rules of BACKUP_EXCLUDE, so `\\[` stands for a plain bracket.
Entries that were chosen from a list are exactly what they are called. A folder that is chosen is
chosen with all below it. Nothing is taken back by `!`: say what is wanted instead.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from pathspec import GitIgnoreSpec

from worker.engine.archive.browse import walk
from worker.engine.archive.index_reader import Entry, IndexReader, path_not_found
from worker.engine.errors import ArchiveError
from worker.engine.extract.limits import Limits

MOST = 1000  # paths and patterns at once
_LONGEST_PATTERN = 4096  # characters
_MOST_STARS = 8  # of one pattern: each may try every place in a name
_SPECIAL = re.compile(r"[*?\[\\]")
_COMPANIONS = (b"-wal", b"-journal")


class Choice:
    """Says of each path of a backup whether it is meant; remembers which words found something.

    `words` as people write them: `/`, `./a` and `a/` will do. `entries` are paths, whatever they
    hold. Raises `ArchiveError` (PATTERN_INVALID).
    """

    def __init__(self, words: Sequence[str] = (), entries: Sequence[bytes] = ()) -> None:
        if not 1 <= len(words) + len(entries) <= MOST:
            raise _invalid(f"Give 1 to {MOST} paths or patterns at once.")
        for word in words:
            _check(word)
        for entry in entries:
            _check_entry(entry)
        plain = [_plain(os.fsencode(word)) for word in words if not _SPECIAL.search(word)]
        self._named = frozenset([*plain, *map(_plain, entries)])
        self._patterns = [word for word in words if _SPECIAL.search(word)]
        self._spec = _spec(self._patterns)
        self._singly = {pattern: _spec([pattern]) for pattern in self._patterns}
        self._found: set[bytes | str] = set()  # of the names and the patterns

    @property
    def everything(self) -> bool:
        """Whether the data folder itself is meant."""
        return b"" in self._named

    def __call__(self, path: bytes, *, folder: bool) -> bool:
        """Whether the file, link or folder at `path` is meant, by itself or with one above."""
        meant = self._meaning(path, folder=folder)
        self._found.update(meant)
        return bool(meant) or self.everything

    def companion(self, path: bytes) -> bool:
        """Whether it is what SQLite keeps beside a file that is meant: of no use by itself,
        but part of a database that was copied with it."""
        base = base_of(path)
        return base is not None and bool(self._meaning(base, folder=False))

    def may_hold(self, folder: bytes) -> bool:
        """Whether something below a folder can be meant that is not meant itself."""
        below = folder + b"/" if folder else b""
        return bool(self._patterns) or any(name.startswith(below) for name in self._named)

    def entries(self, index: IndexReader) -> Iterator[Entry]:
        """All that is meant, companions too, each once. Raises `ArchiveError` (PATH_NOT_FOUND)."""
        if self._patterns or self.everything:
            yield from (entry for entry in walk(index, index.root) if self._includes(entry))
        else:
            for path in self._tops():
                yield from self._below(index, path)
        self.demand_found()

    def demand_found(self) -> None:
        """Once all was asked: `ArchiveError` (PATH_NOT_FOUND) for a word that met nothing."""
        words: list[bytes | str] = [*sorted(self._named), *self._patterns]
        for word in () if self.everything else words:
            if word not in self._found:
                raise path_not_found(os.fsencode(word))

    def _includes(self, entry: Entry) -> bool:
        return self(entry.path, folder=entry.is_folder) or self.companion(entry.path)

    def _below(self, index: IndexReader, path: bytes) -> Iterator[Entry]:
        top = index.entry(path)
        self._found.update(name for name in self._named if _within(name, path) and index.find(name))
        yield from walk(index, top)
        names = (path + suffix for suffix in _COMPANIONS if path + suffix not in self._named)
        yield from (found for name in names if (found := index.find(name)) and found.is_file)

    def _tops(self) -> list[bytes]:
        """Named paths, those below another one left out."""
        names = sorted(self._named)
        return [path for path in names if not any(above in self._named for above in up(path))]

    def _meaning(self, path: bytes, *, folder: bool) -> Sequence[bytes | str]:
        """Names of the path or a folder above it, or else the patterns that match."""
        if self._named:
            named = [name for name in (path, *up(path)) if name in self._named]
            if named:
                return named
        if not self._patterns or not path:
            return []
        name = os.fsdecode(path) + ("/" if folder else "")
        if not self._spec.match_file(name):  # one look for all of them
            return []
        return [pattern for pattern, spec in self._singly.items() if spec.match_file(name)]


def up(path: bytes) -> Iterator[bytes]:
    """The folders above a path, the nearest first, without the data folder."""
    while b"/" in path:
        path = path.rpartition(b"/")[0]
        yield path


def base_of(path: bytes) -> bytes | None:
    """The database that a file of this name would belong to."""
    return next((path[: -len(end)] for end in _COMPANIONS if path.endswith(end)), None)


def _within(path: bytes, top: bytes) -> bool:
    return path == top or path.startswith(top + b"/")


def _plain(word: bytes) -> bytes:
    path = word.removeprefix(b"./").strip(b"/")
    return b"" if path == b"." else path


def _check_entry(path: bytes) -> None:
    if b"\0" in path or len(path) > Limits().path:
        raise _invalid("A path is too long, or holds a NUL.")


def _check(word: str) -> None:
    most = _LONGEST_PATTERN if _SPECIAL.search(word) else Limits().path
    if not word or "\0" in word or len(word) > most:
        raise _invalid(f"This may have 1 to {most} characters.")
    if word.startswith("!"):
        raise _invalid("Patterns that take something back are not known here.")
    if word.count("*") > _MOST_STARS:
        raise _invalid(f"A pattern may hold at most {_MOST_STARS} stars.")


def _spec(patterns: list[str]) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise _invalid(f"A pattern cannot be read: {error}") from None


def _invalid(message: str) -> ArchiveError:
    return ArchiveError(
        message,
        code="PATTERN_INVALID",
        hint=r"Give paths below the data folder, or gitignore patterns; \* is a plain star.",
    )
