"""`tarkeep prune`, `pin`, `unpin` and `tidy`: what is kept in the bucket and what is not."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Callable
from datetime import UTC, datetime

from worker.engine import janitor, marks, retention
from worker.engine.archive.strangers import strangers
from worker.engine.catalogue import list_backups
from worker.engine.cli.commands import Context
from worker.engine.cli.screen import show_progress
from worker.engine.retention import Held, Judgement, Verdict
from worker.engine.swap.lock import not_while_backed_up


def prune(context: Context) -> None:
    """Say what goes and why, and unless that was all that was asked for, delete it.

    `TargetError` (TARGET_BUSY) while a backup or restore of the folder runs: it reads there.
    """
    with not_while_backed_up(context.plan.data_dir):
        _prune(context)


def _prune(context: Context) -> None:
    if context.arguments.confirm:
        _confirm(context)
    backups = list_backups(context.storage, context.plan)
    held = Held(strange=strangers(context.storage, context.plan, backups))
    judgement = retention.judge(backups, context.plan, held)
    deleted: list[str] = []
    if not context.arguments.dry_run:
        with show_progress(context.output) as progress:
            deleted = retention.carry_out(context.storage, judgement, progress)
    context.output.result(
        {
            "backups": [_as_json(one) for one in judgement.verdicts],
            "halted": judgement.halted,
            "deleted": deleted,
        },
        "\n".join(_lines(judgement, deleted, dry_run=context.arguments.dry_run)),
    )


def pin(context: Context) -> None:
    key = marks.pin(context.storage, context.plan, context.arguments.key, **_now_by_me())
    context.output.result({"backupKey": key, "pinned": True}, f"{key} stays until it is unpinned.")


def unpin(context: Context) -> None:
    key = marks.unpin(context.storage, context.plan, context.arguments.key)
    context.output.result({"backupKey": key, "pinned": False}, f"{key} is left to retention.")


def tidy(context: Context) -> None:
    dry_run = context.arguments.dry_run
    done = janitor.tidy(context.storage, context.plan, now=datetime.now(UTC), dry_run=dry_run)
    would = "Would delete" if dry_run else "Deleted"
    lines = [f"{would} {key}" for key in done.deleted]
    lines += [f"{would} the unfinished upload of {key}" for key in done.aborted]
    lines += [f"Left alone, as no run of ours has made it: {key}" for key in done.left]
    context.output.result(
        {"deleted": done.deleted, "aborted": done.aborted, "left": done.left},
        "\n".join(lines or ["Nothing to tidy up."]),
    )


def add(
    command: Callable[..., argparse.ArgumentParser],
    key: Callable[[argparse.ArgumentParser], None],
) -> None:
    """Put the commands into the parser."""
    pruning = command("prune", prune, "delete the backups that retention does not keep")
    pruning.add_argument("--dry-run", action="store_true", help="only say what stays and goes, why")
    pruning.add_argument(
        "--confirm",
        "--confirm-shrunk",
        action="store_true",
        help="the newest backup is right, though it holds less than half, or has another key; or"
        " many may go at once",
    )
    key(command("pin", pin, "keep a backup, whatever retention says"))
    key(command("unpin", unpin, "leave a pinned backup to retention again"))
    tidying = command("tidy", tidy, "clear away what runs that died have left in the bucket")
    tidying.add_argument("--dry-run", action="store_true", help="only say what would go")


def _confirm(context: Context) -> None:
    key = marks.confirm(context.storage, context.plan, **_now_by_me())
    context.output.warning(f"{key} is confirmed.")


def _now_by_me() -> marks.Statement:
    return {"at": datetime.now(UTC), "by": getpass.getuser()}


def _lines(judgement: Judgement, deleted: list[str], *, dry_run: bool) -> list[str]:
    lines = [_line(one) for one in judgement.verdicts] or ["No backups yet."]
    if judgement.halted:
        lines.append(f"{judgement.halted[:1].upper()}{judgement.halted[1:]}:")
        lines.append("  tarkeep prune --confirm")
    return lines if dry_run else [*lines, f"Deleted {len(deleted)}."]


def _line(one: Verdict) -> str:
    return f"{'keep' if one.keep else 'GO  '}  {one.backup.key}: {one.reason}"


def _as_json(one: Verdict) -> dict[str, object]:
    return {"key": one.backup.key, "keep": one.keep, "reason": one.reason}
