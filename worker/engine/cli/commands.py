"""What each `tarkeep` command does: call the engine, show the result."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from worker.engine import janitor
from worker.engine.archive.plain import warnings_of
from worker.engine.backup import BackupResult, Mode, run_backup
from worker.engine.catalogue import BackupInfo, find_backup, list_backups
from worker.engine.cli.output import Output
from worker.engine.cli.screen import Screen, show_progress
from worker.engine.config import PlanConfig
from worker.engine.drill import run_drill
from worker.engine.errors import JobStopped, StorageError
from worker.engine.instances.journal import Journal
from worker.engine.preview import preview
from worker.engine.restore import RestoreResult, run_restore
from worker.engine.settling import settle
from worker.engine.sizes import human_size
from worker.engine.storage import Storage
from worker.engine.undo import chosen_copy, run_undo
from worker.engine.verify import run_verify


@dataclass(frozen=True)
class Context:
    """What a command works with."""

    plan: PlanConfig
    storage: Storage
    output: Output
    arguments: argparse.Namespace


Command = Callable[[Context], None]


@contextmanager
def written_down(context: Context) -> Iterator[Screen]:
    """The progress of a run that may stop instances; what a dead one has left is settled first."""
    settle(context.plan)
    with (
        closing(Journal(context.plan.temp_dir)) as journal,
        show_progress(context.output, journal) as progress,
    ):
        yield progress


def backup(context: Context, *, mode: Mode = "") -> None:
    with written_down(context) as progress:
        now = datetime.now(UTC)
        made = run_backup(context.plan, context.storage, progress, now=now, mode=mode)
    context.output.result(
        {
            "backupKey": made.key,
            "size": made.size,
            "dataSize": made.data_size,
            "files": made.files,
            "bytesRead": made.bytes_read,
            "bytesSent": made.bytes_sent,
            "bytesCopied": made.bytes_copied,
            "base": made.metadata.base,
            "generation": made.metadata.generation,
            "fullReason": made.metadata.full_reason,
            "checksum": made.checksum,
            "encrypted": made.encrypted,
            "warnings": made.warnings,
            "pruned": list(made.pruned),
            "downtime": made.downtime,
            "unchanged": made.unchanged,
        },
        _made(made),
    )
    _tidy(context)


def _made(made: BackupResult) -> str:
    down = f" Instances stood still for {made.downtime:.1f} s." if made.downtime else ""
    if made.unchanged:
        return f"Nothing changed since {made.key}: no other one was stored.{down}"
    return (
        f"Saved {made.files} files ({human_size(made.data_size)}) as {made.key} "
        f"({human_size(made.size)}{', encrypted' if made.encrypted else ''}).{down}"
    )


def _tidy(context: Context) -> None:
    """Whoever backs up by a timer has no worker that does it."""
    try:
        janitor.tidy(context.storage, context.plan, now=datetime.now(UTC))
    except StorageError as error:
        context.output.warning(f"what dead runs have left stays for now: {error.message}")


def dry_run(plan: PlanConfig, output: Output) -> None:
    """No bucket is asked, so that none need be there yet."""
    with show_progress(output) as progress:
        found = preview(plan, progress)
    files, folders, size = found.totals.files, found.totals.folders, found.totals.bytes
    out, out_size, names = found.excluded, found.excluded_bytes, found.excluded_names
    more = [f"  ... and {out - len(names)} more"] if out > len(names) else []
    output.result(
        {
            "files": files,
            "folders": folders,
            "bytes": size,
            "excluded": out,
            "excludedBytes": out_size,
            "excludedFirst": list(names),
        },
        "\n".join(
            (
                f"Would save {files} files in {folders} folders ({human_size(size)}); "
                f"{out} left out by BACKUP_EXCLUDE ({human_size(out_size)}).",
                *(f"  {name}" for name in names),
                *more,
            )
        ),
    )


def list_(context: Context) -> None:
    found = list_backups(context.storage, context.plan)
    lines = [_line(context.plan, one) for one in found] or [
        "No backups yet. Make one: tarkeep backup"
    ]
    context.output.result(
        {"backups": [_as_json(context.plan, one) for one in found]}, "\n".join(lines)
    )


def restore(context: Context) -> None:
    chosen = find_backup(context.storage, context.plan, context.arguments.key)
    _confirm(context, chosen)
    with written_down(context) as progress:
        done = run_restore(
            context.plan, context.storage, progress, key=chosen.key, now=datetime.now(UTC)
        )
    show_restored(context, done)


def show_restored(context: Context, done: RestoreResult) -> None:
    safety = str(done.safety_copy) if done.safety_copy else None
    context.output.result(
        {
            "backupKey": done.key,
            "files": done.files,
            "bytes": done.bytes,
            "safetyCopy": safety,
            "safetyBackup": done.safety_backup,
            "mode": done.mode,
            "downtime": done.downtime,
            "warnings": done.warnings,
        },
        f"Restored {done.files} files ({human_size(done.bytes)}) into {context.plan.data_dir}."
        + (
            f"\nWhat was there before is kept in {safety}. To go back: tarkeep undo"
            if safety
            else ""
        ),
    )


def undo(context: Context) -> None:
    settle(context.plan)  # a killed restore's safety copy may not have its name yet
    name = context.arguments.copy
    copy = chosen_copy(context.plan.data_dir, name)
    question = f"Put {copy.path}, replaced at {copy.time:%Y-%m-%d %H:%M} UTC, back in place?"
    confirm(context, f"{question} The current folder is kept beside it. [yes/no] ")
    with written_down(context) as progress:
        done = run_undo(context.plan, progress, now=datetime.now(UTC), name=name)
    safety = str(done.safety_copy) if done.safety_copy else None
    context.output.result(
        {
            "copy": str(done.copy),
            "safetyCopy": safety,
            "mode": done.mode,
            "downtime": done.downtime,
        },
        f"{context.plan.data_dir} is again as it was when {done.copy.name} was made."
        + (f"\nWhat was there until now is kept in {safety}." if safety else ""),
    )


def verify(context: Context) -> None:
    chosen = find_backup(context.storage, context.plan, context.arguments.key)
    with show_progress(context.output) as progress:
        seen = run_verify(context.plan, context.storage, progress, key=chosen.key)
    context.output.result(
        {
            "backupKey": chosen.key,
            "files": seen.files,
            "bytes": seen.bytes,
            "segments": seen.segments,
            "databases": seen.databases,
            "databasesNotChecked": seen.unchecked,
            "indexed": seen.indexed,
            "ok": True,
        },
        f"{chosen.key} is whole: {seen.files} files ({human_size(seen.bytes)}), {seen.segments} "
        f"segments and {seen.databases} databases read and checked.",
    )


def drill(context: Context) -> None:
    chosen = find_backup(context.storage, context.plan, context.arguments.key)
    with show_progress(context.output) as progress:
        proof = run_drill(context.plan, context.storage, progress, key=chosen.key)
    context.output.result(
        {
            "backupKey": proof.key,
            "files": proof.files,
            "bytes": proof.bytes,
            "seconds": proof.seconds,
            "bytesPerSecond": proof.bytes_per_second,
            "compared": proof.compared,
            "databases": proof.databases,
            "command": proof.command,
            "ok": True,
        },
        f"{proof.key} comes back: {proof.files} files ({human_size(proof.bytes)}) restored into a "
        f"scratch folder in {proof.seconds:.1f} s and compared, {proof.databases} databases "
        f"checked{', and your command was content' if proof.command else ''}.",
    )


def _confirm(context: Context, chosen: BackupInfo) -> None:
    """Ask before replacing the data folder."""
    confirm(
        context,
        f"Replace {context.plan.data_dir} by the backup of {chosen.created:%Y-%m-%d %H:%M} UTC? "
        "The current folder is kept beside it. [yes/no] ",
    )


def confirm(context: Context, question: str) -> None:
    """Raises `JobStopped` on anything but a yes."""
    if context.arguments.yes:
        return
    if not sys.stdin.isatty():
        raise JobStopped("Not restored: nobody to ask.", hint="Add --yes to restore unasked.")
    if context.output.ask(question) not in ("y", "yes"):
        raise JobStopped("Not restored.", hint="Answer yes to restore.")


def _line(plan: PlanConfig, one: BackupInfo) -> str:
    made = one.metadata
    files = f"{made.file_count} files" if made and made.file_count is not None else ""
    sealed = "encrypted" if made and made.encrypted else ""
    if warnings_of(plan, one):
        sealed = "NOT ENCRYPTED"
    size = human_size(one.size)
    return f"{one.created:%Y-%m-%d %H:%M}  {size:>10}  {files:>14}  {sealed:9}  {one.key}"


def _as_json(plan: PlanConfig, one: BackupInfo) -> dict[str, object]:
    return {
        "key": one.key,
        "created": one.created.isoformat(),
        "lastModified": one.modified.isoformat(),
        "size": one.size,
        "encrypted": bool(one.metadata and one.metadata.encrypted),
        "files": one.metadata.file_count if one.metadata else None,
        "warnings": [warning.code for warning in warnings_of(plan, one)],
    }
