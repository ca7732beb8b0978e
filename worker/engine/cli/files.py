"""`tarkeep ls`, `find`, `get` and `diff`: what is inside of backups."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from worker.engine.archive.browse import Page, list_folder, search
from worker.engine.archive.diff import Change, Counts, diff
from worker.engine.archive.fetch import open_file, save
from worker.engine.archive.index_reader import Entry, IndexReader, open_index
from worker.engine.catalogue import BackupInfo, find_backup, list_backups
from worker.engine.cli.commands import Context
from worker.engine.cli.listing import (
    as_json,
    as_line,
    printable,
    reader_may_leave,
    write_json,
    write_lines,
)
from worker.engine.cli.screen import show_progress
from worker.engine.errors import ArchiveError
from worker.engine.extract.membernames import TOP
from worker.engine.sizes import human_size

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def ls(context: Context) -> None:
    backup = _find(context, context.arguments.key)
    with open_index(context.storage, context.plan, backup) as index:
        entries = _all(index, _path(context.arguments.path))
        if context.output.json:
            write_json({"backupKey": backup.key}, "entries", map(as_json, entries))
        else:
            long = context.arguments.long
            write_lines(as_line(entry, entry.name or TOP, long=long) for entry in entries)


def find(context: Context) -> None:
    """In one backup, or in all of them, newest first."""
    key = context.arguments.key
    backups = [_find(context, key)] if key else list_backups(context.storage, context.plan)
    skipped: list[str] = []
    found = ((backup, one) for backup in backups for one in _matches(context, backup, skipped))
    if context.output.json:
        items = ({"backupKey": backup.key, **as_json(entry)} for backup, entry in found)
        write_json({}, "matches", items, lambda: {"skipped": skipped})
    else:
        long = context.arguments.long
        write_lines(
            f"{backup.key}  {as_line(entry, entry.path, long=long)}" for backup, entry in found
        )


def get(context: Context) -> None:
    backup, path = _find(context, context.arguments.key), _path(context.arguments.path)
    if context.arguments.output == "-":
        _to_stdout(context, backup, path)
        return
    target = _target(context.arguments.output, path)
    with show_progress(context.output) as progress:
        got = save(context.storage, context.plan, backup, path, target, progress)
    context.output.result(
        {"backupKey": backup.key, "target": str(target), "files": got.files, "bytes": got.bytes},
        f"Got {got.files} files ({human_size(got.bytes)}) as {target}.",
    )


def diff_(context: Context) -> None:
    old, new = (_find(context, key) for key in (context.arguments.old, context.arguments.new))
    counts = Counts()
    with (
        open_index(context.storage, context.plan, old) as before,
        open_index(context.storage, context.plan, new) as after,
    ):
        changes = _counted(diff(before, after), counts)
        if context.output.json:
            head, items = {"old": old.key, "new": new.key}, map(_change_as_json, changes)
            write_json(head, "changes", items, lambda: {"totals": counts.as_dict()})
        else:
            write_lines(map(_change_line, changes))
            write_lines([_summary(counts)])


def add(
    command: Callable[[str, Callable[[Context], None], str], argparse.ArgumentParser],
    key: Callable[[argparse.ArgumentParser], None],
) -> None:
    """Declare the commands. `command` makes a parser, `key` adds KEY to one."""
    made = command("ls", ls, "what is in a backup, folder by folder")
    key(made)
    made.add_argument("path", metavar="PATH", nargs="?", default="", help="a folder or file in it")
    made.add_argument("--long", action="store_true", help="with mode, owner, size and time")
    made = command("find", find, "look for files by name")
    made.add_argument("pattern", metavar="NAME", help="part of a name, or a whole one with * or ?")
    made.add_argument("key", metavar="KEY", nargs="?", help="in this backup only")
    made.add_argument("--long", action="store_true", help="with mode, owner, size and time")
    made = command("get", get, "one file or folder out of a backup")
    key(made)
    made.add_argument("path", metavar="PATH", help="a file or folder in the backup")
    made.add_argument("-o", "--output", help="where to, a file or a folder; - for standard output")
    made = command("diff", diff_, "what differs between two backups")
    made.add_argument("old", metavar="KEY1", help="the older backup's key, or `latest`")
    made.add_argument("new", metavar="KEY2", help="the newer backup's key, or `latest`")


def _find(context: Context, key: str) -> BackupInfo:
    return find_backup(context.storage, context.plan, key)


def _path(text: str) -> bytes:
    """As people write it: `/`, `.`, `./a` and `a/` will do."""
    path = os.fsencode(text).removeprefix(b"./").strip(b"/")
    return b"" if path == b"." else path


def _target(output: str | None, path: bytes) -> Path:
    """Into a folder that is there, else under the name given."""
    name = os.fsdecode(path.rpartition(b"/")[2] or TOP)
    target = Path(output or name)
    return target / name if output and target.is_dir() else target


def _to_stdout(context: Context, backup: BackupInfo, path: bytes) -> None:
    with (
        show_progress(context.output) as progress,
        open_file(context.storage, context.plan, backup, path, progress) as found,
        reader_may_leave(),
    ):
        for chunk in found.chunks:
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()


def _all(index: IndexReader, path: bytes) -> Iterator[Entry]:
    page = list_folder(index, path)
    yield from page.entries
    while page.more:
        page = list_folder(index, path, after=page.entries[-1].name)
        yield from page.entries


def _matches(context: Context, backup: BackupInfo, skipped: list[str]) -> Iterator[Entry]:
    """A backup that cannot be looked into is told of, and does not hide what others hold."""
    try:
        with open_index(context.storage, context.plan, backup) as index:
            page: Page | None = search(index, context.arguments.pattern)
            while page is not None:
                yield from page.entries
                page = (
                    search(index, context.arguments.pattern, after=page.entries[-1])
                    if page.more
                    else None
                )
    except ArchiveError as error:
        if context.arguments.key:
            raise
        skipped.append(backup.key)
        context.output.warning(f"{backup.key} was not looked into: {error.message}")


def _counted(changes: Iterator[Change], counts: Counts) -> Iterator[Change]:
    for change in changes:
        counts.add(change)
        yield change


def _change_as_json(change: Change) -> dict[str, Any]:
    return {
        "change": change.what,
        "path": os.fsdecode(change.path),
        "fields": list(change.fields),
        "old": as_json(change.old) if change.old else None,
        "new": as_json(change.new) if change.new else None,
    }


def _change_line(change: Change) -> str:
    entry = change.new or change.old
    assert entry is not None
    name = printable(change.path or TOP) + ("/" if entry.is_folder else "")
    fields = f"  ({', '.join(change.fields)})" if change.fields else ""
    return f"{_SIGNS[change.what]} {name}{fields}"


def _summary(counts: Counts) -> str:
    parts = (
        f"{sums['entries']} {what} ({human_size(sums['bytes'])})"
        for what, sums in counts.as_dict().items()
    )
    return ", ".join(parts)
