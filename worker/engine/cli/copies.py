"""`tarkeep undo` and `tarkeep copies`: what restores have replaced, put back, shown, removed."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from worker.engine.cli import commands
from worker.engine.cli.commands import Context
from worker.engine.settling import settle
from worker.engine.sizes import human_size
from worker.engine.swap.copies import SafetyCopy, all_copies, find_copy, remove


def add(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Put the commands into the parser."""
    undo = command("undo", commands.undo, "take the last restore back")
    undo.add_argument(
        "copy", metavar="NAME", nargs="?", default="",
        help="the safety copy to put in place; the newest if none is named",
    )  # fmt: skip
    undo.add_argument("--yes", action="store_true", help="do not ask before replacing")
    made = command("copies", copies, "the folders that restores have replaced, newest first")
    made.add_argument("--remove", metavar="NAME", help="remove the copy of that name for good")
    made.add_argument("--yes", action="store_true", help="do not ask before removing")


def copies(context: Context) -> None:
    settle(context.plan)
    if context.arguments.remove:
        _remove(context, context.arguments.remove)
        return
    found = all_copies(context.plan.data_dir)
    lines = [_line(copy) for copy in found] or ["There are no safety copies."]
    context.output.result({"copies": [_as_json(copy) for copy in found]}, "\n".join(lines))


def _remove(context: Context, name: str) -> None:
    copy = find_copy(context.plan.data_dir, name)
    commands.confirm(context, f"Remove {copy.path} for good? [yes/no] ")
    remove(copy)
    context.output.result({"removed": str(copy.path)}, f"Removed {copy.path}.")


def _line(copy: SafetyCopy) -> str:
    known = copy.about
    size = human_size(known.bytes) if known and known.bytes >= 0 else "?"
    kind = "failed restore" if copy.failed else "entries" if copy.partial else "folder"
    return f"{copy.time:%Y-%m-%d %H:%M} UTC  {size:>10}  {kind:<14}  {copy.path.name}"


def _as_json(copy: SafetyCopy) -> dict[str, Any]:
    known = copy.about
    return {
        "name": copy.path.name,
        "path": str(copy.path),
        "time": copy.time.isoformat(),
        "failed": copy.failed,
        "partial": copy.partial,
        "size": known.bytes if known and known.bytes >= 0 else None,
        "notInBackup": known.unsaved if known else 0,
    }
