"""Long lists on standard output, as lines or as one JSON object, without holding them in memory."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from worker.engine.archive.index import DIRECTORY, FILE, SYMLINK
from worker.engine.archive.index_reader import Entry

T = TypeVar("T")

_KINDS = {FILE: "file", DIRECTORY: "folder", SYMLINK: "link"}
_TYPES = {FILE: stat.S_IFREG, DIRECTORY: stat.S_IFDIR, SYMLINK: stat.S_IFLNK}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def write_lines(lines: Iterable[str]) -> None:
    with reader_may_leave():
        for line in lines:
            sys.stdout.write(line + "\n")
        sys.stdout.flush()


def write_json(
    head: dict[str, Any],
    name: str,
    items: Iterable[dict[str, Any]],
    tail: Callable[[], dict[str, Any]] = dict,
) -> None:
    """One object: `head`, the list `name`, and what `tail` gives after the last item."""
    opening = json.dumps({**head, name: []})[:-2]
    with reader_may_leave():
        sys.stdout.write(opening)
        for number, item in enumerate(items):
            sys.stdout.write((",\n" if number else "\n") + json.dumps(item))
        rest = json.dumps(tail())[1:]
        sys.stdout.write("\n]" + (", " if rest != "}" else "") + rest + "\n")
        sys.stdout.flush()


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """`tarkeep ls | head` is no error: what is left to write goes nowhere."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def as_json(entry: Entry) -> dict[str, Any]:
    """`path` as `os.fsdecode` gives it: bytes that are no UTF-8 survive the way there and back."""
    modified = _time(entry)
    return {
        "path": os.fsdecode(entry.path),
        "kind": _KINDS[entry.kind],
        "size": entry.size,
        "mode": f"{entry.mode:04o}",
        "modified": modified.isoformat() if modified else None,
        "note": entry.note,
        "missing": entry.is_missing,
    }


def as_line(entry: Entry, text: bytes, *, long: bool) -> str:
    """`text` names the entry; a folder gets a slash at its end."""
    name = printable(text) + ("/" if entry.is_folder else "")
    name += f"  (not saved: {entry.note})" if entry.is_missing else ""
    if not long:
        return name
    mode, modified = stat.filemode(_TYPES[entry.kind] | entry.mode), _time(entry)
    when = f"{modified:%Y-%m-%d %H:%M}" if modified else "-"
    return f"{mode}  {entry.uid:>5} {entry.gid:>5}  {entry.size:>12}  {when:>16}  {name}"


def printable(name: bytes) -> str:
    """For people: control characters and bytes that are no UTF-8 escaped."""
    text = name.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _time(entry: Entry) -> datetime | None:
    try:
        return _EPOCH + timedelta(microseconds=entry.mtime_ns // 1000)
    except OverflowError:
        return None
