"""Whether two folders hold the same: paths, kinds, modes, times of change, contents, links.

Times count in whole seconds: that is all that tar keeps as the pipe uses it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from bench.errors import BenchError

Entry = tuple[str, int, int, str]  # path, mode, mtime in s, digest or link


def same(left: Path, right: Path) -> None:
    """Raise `BenchError` with the first difference. The times of folders may differ."""
    for one, other in zip_longest(entries(left), entries(right)):
        if one != other:
            raise BenchError(f"restored differently: {one} became {other}")


def entries(top: Path) -> Iterator[Entry]:
    for path, folders, files in os.walk(top):
        folders.sort()
        for name in sorted(files + folders):
            yield _entry(Path(path, name), top)


def _entry(path: Path, top: Path) -> Entry:
    info = path.lstat()
    name = str(path.relative_to(top))
    if stat.S_ISDIR(info.st_mode):
        return name, info.st_mode, 0, ""
    if stat.S_ISLNK(info.st_mode):
        return name, info.st_mode, int(info.st_mtime), str(path.readlink())
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return name, info.st_mode, int(info.st_mtime), digest
