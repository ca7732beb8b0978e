"""What each `tarkeep` command does: call the engine, show the result."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from worker.engine.backup import run_backup
from worker.engine.catalogue import BackupInfo, find_backup, list_backups
from worker.engine.cli.output import Output, human_size
from worker.engine.cli.screen import show_progress
from worker.engine.config import PlanConfig
from worker.engine.errors import JobStopped
from worker.engine.preview import preview
from worker.engine.restore import run_restore
from worker.engine.storage import Storage
from worker.engine.verify import run_verify


@dataclass(frozen=True)
class Context:
    """What a command works with."""

    plan: PlanConfig
    storage: Storage
    output: Output
    arguments: argparse.Namespace


Command = Callable[[Context], None]


def backup(context: Context) -> None:
    if context.arguments.dry_run:
        dry_run(context)
        return
    with show_progress(context.output) as progress:
        made = run_backup(context.plan, context.storage, progress, now=datetime.now(UTC))
    context.output.result(
        {
            "backupKey": made.key,
            "size": made.size,
            "dataSize": made.data_size,
            "files": made.files,
            "bytesSent": made.bytes_sent,
            "checksum": made.checksum,
            "encrypted": made.encrypted,
            "warnings": made.warnings,
            "pruned": list(made.pruned),
        },
        f"Saved {made.files} files ({human_size(made.data_size)}) as {made.key} "
        f"({human_size(made.size)}{', encrypted' if made.encrypted else ''}).",
    )


def dry_run(context: Context) -> None:
    with show_progress(context.output) as progress:
        found = preview(context.plan, progress)
    files, folders, size = found.totals.files, found.totals.folders, found.totals.bytes
    context.output.result(
        {"files": files, "folders": folders, "bytes": size, "excluded": found.excluded},
        f"Would save {files} files in {folders} folders ({human_size(size)}); "
        f"{found.excluded} left out by BACKUP_EXCLUDE.",
    )


def list_(context: Context) -> None:
    found = list_backups(context.storage, context.plan)
    lines = [_line(one) for one in found] or ["No backups yet. Make one: tarkeep backup"]
    context.output.result({"backups": [_as_json(one) for one in found]}, "\n".join(lines))


def restore(context: Context) -> None:
    chosen = find_backup(context.storage, context.plan, context.arguments.key)
    _confirm(context, chosen)
    with show_progress(context.output) as progress:
        done = run_restore(
            context.plan, context.storage, progress, key=chosen.key, now=datetime.now(UTC)
        )
    safety = str(done.safety_copy) if done.safety_copy else None
    context.output.result(
        {
            "backupKey": done.key,
            "files": done.files,
            "bytes": done.bytes,
            "safetyCopy": safety,
            "mode": done.mode,
            "warnings": done.warnings,
        },
        f"Restored {done.files} files ({human_size(done.bytes)}) into {context.plan.data_dir}."
        + (f"\nWhat was there before is kept in {safety}." if safety else ""),
    )


def verify(context: Context) -> None:
    chosen = find_backup(context.storage, context.plan, context.arguments.key)
    with show_progress(context.output) as progress:
        seen = run_verify(context.plan, context.storage, progress, key=chosen.key)
    context.output.result(
        {"backupKey": chosen.key, "files": seen.files, "bytes": seen.bytes, "ok": True},
        f"{chosen.key} is whole: {seen.files} files ({human_size(seen.bytes)}) read and checked.",
    )


def _confirm(context: Context, chosen: BackupInfo) -> None:
    """Ask before replacing the data folder. Raises `JobStopped` on anything but a yes."""
    if context.arguments.yes:
        return
    if not sys.stdin.isatty():
        raise JobStopped("Not restored: nobody to ask.", hint="Add --yes to restore unasked.")
    question = (
        f"Replace {context.plan.data_dir} by the backup of {chosen.created:%Y-%m-%d %H:%M} UTC? "
        "The current folder is kept beside it. [yes/no] "
    )
    if context.output.ask(question) not in ("y", "yes"):
        raise JobStopped("Not restored.", hint="Answer yes to restore.")


def _line(one: BackupInfo) -> str:
    made = one.metadata
    files = f"{made.file_count} files" if made and made.file_count is not None else ""
    sealed = "encrypted" if made and made.encrypted else ""
    size = human_size(one.size)
    return f"{one.created:%Y-%m-%d %H:%M}  {size:>10}  {files:>14}  {sealed:9}  {one.key}"


def _as_json(one: BackupInfo) -> dict[str, object]:
    return {
        "key": one.key,
        "created": one.created.isoformat(),
        "lastModified": one.modified.isoformat(),
        "size": one.size,
        "encrypted": bool(one.metadata and one.metadata.encrypted),
        "files": one.metadata.file_count if one.metadata else None,
    }
