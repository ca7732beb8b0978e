"""The folders on this machine: data, its parent, the temporary one, and room on their disks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from worker.engine.config import PlanConfig
from worker.engine.doctor.finding import Finding
from worker.engine.errors import SourceError, TargetError
from worker.engine.sizes import human_size

LITTLE: Final = 1024 * 1024 * 1024


def findings(plan: PlanConfig) -> Iterator[Finding]:
    yield _data(plan.data_dir)
    yield from _parent(plan.data_dir.absolute().parent)
    yield from _temp(plan.temp_dir)


def room(plan: PlanConfig, needed: int) -> Finding:
    """Whether a restore of so many bytes has room beside the data folder."""
    place = existing(plan.data_dir.absolute().parent)
    free = shutil.disk_usage(place).free
    text = f"{human_size(free)} are free beside {plan.data_dir}"
    if free >= needed:
        return Finding("ok", "room", f"{text}, a restore needs {human_size(needed)}")
    hint = "A restore keeps the old folder, and needs room for the new one beside it."
    return Finding("note", "room", f"{text}, but a restore needs {human_size(needed)}", hint)


def existing(path: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(one for one in (path, *path.absolute().parents) if one.exists())


def _data(data: Path) -> Finding:
    if not data.is_dir() or not os.access(data, os.R_OK | os.X_OK):
        text = f"{data} is no folder that can be read"
        return Finding("bad", "data", text, "Look at BACKUP_DATA_DIR.", SourceError.exit_code)
    if not any(data.iterdir()):
        return Finding("note", "data", f"{data} is empty", "Is something to be mounted there?")
    return Finding("ok", "data", f"{data} can be read")


def _parent(parent: Path) -> Iterator[Finding]:
    if parent.is_dir() and not os.access(parent, os.W_OK):
        hint = "A restore renames folders there. Give this user the right, or mount the parent."
        yield Finding("note", "restore", f"{parent} cannot be written to", hint)


def _temp(temp: Path) -> Iterator[Finding]:
    place = existing(temp)
    if not os.access(place, os.W_OK):
        text = f"{temp} cannot be written to"
        yield Finding("bad", "temp", text, "Look at BACKUP_TEMP_DIR.", TargetError.exit_code)
        return
    free = shutil.disk_usage(place).free
    text = f"{human_size(free)} are free for {temp}"
    hint = "Room for the largest database is needed. Look at BACKUP_TEMP_DIR."
    yield Finding("ok" if free >= LITTLE else "note", "temp", text, hint)
