"""`tarkeep restore`: a whole backup or a part of it, in place or elsewhere, or only a preview."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from worker.engine.catalogue import LATEST, BackupInfo, find_at, find_backup
from worker.engine.cli import commands
from worker.engine.cli.commands import Context
from worker.engine.cli.listing import printable, write_json, write_lines
from worker.engine.cli.screen import show_progress
from worker.engine.compare import UNCHANGED, Effect, Tally
from worker.engine.errors import ConfigError
from worker.engine.naming import parse_key
from worker.engine.point_in_time import parse_time
from worker.engine.preview_restore import NOTE, preview_restore
from worker.engine.restore_part import run_restore_part
from worker.engine.restore_to import run_restore_to
from worker.engine.sizes import human_size

_SIGNS = {"added": "+", "removed": "-", "replaced": "~", "kept": "="}


def add(command: Callable[[str, commands.Command, str], argparse.ArgumentParser]) -> None:
    """Declare the command; `command` makes a parser."""
    made = command("restore", restore, "put a backup, or a part of it, in place")
    made.add_argument(
        "key", metavar="KEY", nargs="?", help="a backup's key, or `latest`; not with --at"
    )
    made.add_argument(
        "paths", metavar="PATH", nargs="*", help="only these files and folders, or patterns"
    )
    made.add_argument("--literal", action="store_true", help="each PATH is a path, no pattern")
    made.add_argument("--at", metavar="TIME", help="the newest backup of that time (ISO 8601)")
    made.add_argument("--to", metavar="DIR", help="into this empty or new folder instead")
    made.add_argument(
        "--keep-setuid", action="store_true", help="set-user-id bits of files come back; as root"
    )
    made.add_argument("--dry-run", action="store_true", help="only say what would change")
    made.add_argument("--yes", action="store_true", help="do not ask before replacing")


def restore(context: Context) -> None:
    context = _with_setuid(context)
    backup = _chosen(context)
    if context.arguments.dry_run:
        _preview(context, backup)
    elif context.arguments.to is not None:
        _restore_to(context, backup)
    elif context.arguments.paths:
        _restore_part(context, backup)
    else:
        context.arguments.key = backup.key
        commands.restore(context)


def _with_setuid(context: Context) -> Context:
    if not context.arguments.keep_setuid:
        return context
    if os.geteuid():
        raise ConfigError("--keep-setuid takes root's rights", hint="Restore as root, or without.")
    plan = context.plan
    plan = replace(plan, restore=replace(plan.restore, keep_setuid=True))
    return replace(context, plan=plan)


def _chosen(context: Context) -> BackupInfo:
    """The backup meant. With --at, all words are paths; `latest` may stand before them."""
    given = context.arguments
    if given.at is None:
        if given.key is None:
            raise ConfigError("Which backup?", hint="Give a key, `latest`, or --at TIME.")
        return find_backup(context.storage, context.plan, given.key)
    if given.key is not None and parse_key(context.plan, given.key):
        raise ConfigError("A key and --at name two backups", hint="Give one of them.")
    if given.key not in (None, LATEST):
        given.paths = [given.key, *given.paths]
    return find_at(context.storage, context.plan, _time(given.at, context.plan.timezone))


def _which(context: Context) -> dict[str, Any]:
    paths = context.arguments.paths
    return (
        {"entries": [os.fsencode(p) for p in paths]}
        if context.arguments.literal
        else {"words": paths}
    )


def _time(text: str, timezone: str) -> datetime:
    try:
        return parse_time(text, timezone)
    except ValueError:
        raise ConfigError(
            f"--at {text!r} is not a time", hint="As in 2025-08-29T05:00 or 2025-08-29T05:00+02:00."
        ) from None


def _restore_part(context: Context, backup: BackupInfo) -> None:
    words = context.arguments.paths
    commands.confirm(
        context,
        f"Replace {', '.join(words)} in {context.plan.data_dir} by what the backup of "
        f"{backup.created:%Y-%m-%d %H:%M} UTC holds? What is there now is kept. [yes/no] ",
    )
    with commands.written_down(context) as progress:
        done = run_restore_part(
            context.plan, context.storage, progress,
            key=backup.key, now=datetime.now(UTC), **_which(context),
        )  # fmt: skip
    commands.show_restored(context, done)


def _restore_to(context: Context, backup: BackupInfo) -> None:
    target = Path(context.arguments.to)
    with show_progress(context.output) as progress:
        done = run_restore_to(
            context.plan, context.storage, progress,
            key=backup.key, target=target, **_which(context),
        )  # fmt: skip
    context.output.result(
        {
            "backupKey": done.key,
            "files": done.files,
            "bytes": done.bytes,
            "target": str(done.target),
            "warnings": done.warnings,
        },
        f"Restored {done.files} files ({human_size(done.bytes)}) into {done.target}.",
    )


def _preview(context: Context, backup: BackupInfo) -> None:
    target = Path(context.arguments.to) if context.arguments.to is not None else None
    tally = Tally()
    with (
        show_progress(context.output) as progress,
        preview_restore(
            context.plan, context.storage, progress,
            backup=backup, target=target, **_which(context),
        ) as seen,
    ):  # fmt: skip
        if seen.read_through:
            context.output.warning("The backup has no index: its archive was read through.")
        changes = _changes(seen.effects, tally)
        if context.output.json:
            head = {"backupKey": seen.key, "contentCompared": False}
            write_json(head, "changes", map(_as_json, changes), lambda: {"totals": tally.as_dict()})
        else:
            write_lines(map(_line, changes))
            write_lines([_summary(tally), NOTE])


def _changes(effects: Iterator[Effect], tally: Tally) -> Iterator[Effect]:
    for effect in effects:
        tally.add(effect)
        if effect.what != UNCHANGED:
            yield effect


def _as_json(effect: Effect) -> dict[str, Any]:
    return {
        "change": effect.what,
        "path": os.fsdecode(effect.path),
        "folder": effect.kind == "d",
        "size": effect.size,
    }


def _line(effect: Effect) -> str:
    return f"{_SIGNS[effect.what]} {printable(effect.path)}{'/' if effect.kind == 'd' else ''}"


def _summary(tally: Tally) -> str:
    parts = (
        f"{sums['entries']} {what} ({human_size(sums['bytes'])})"
        for what, sums in tally.as_dict().items()
    )
    return f"Would be: {', '.join(parts)}."
