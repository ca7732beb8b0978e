"""Run as a program that may die anywhere: `python -m tests.faults.dying_job KIND FOLDER [MODE]`.

KIND is backup, restore, part (a restore of one file), elsewhere (into another folder), get (one
file out of the backup) or undo.
The settings are the environment's, as for a worker; what the run writes down goes into
FOLDER/effects, as durably as into a database. MODE forces a way to swap that no file system here
asks for. TARKEEP_CRASH_AT says where to die, DYING_LATER how many minutes after other deaths.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.engine.instances.dying_run import WrittenDown
from worker.engine import restore as restore_module
from worker.engine.archive.fetch import save
from worker.engine.backup import run_backup
from worker.engine.catalogue import find_backup
from worker.engine.errors import EngineError
from worker.engine.restore import run_restore
from worker.engine.restore_part import run_restore_part
from worker.engine.restore_to import run_restore_to
from worker.engine.settings import read_settings, require
from worker.engine.storage.s3 import open_storage
from worker.engine.swap.site import Site, look
from worker.engine.undo import run_undo

FIRST = datetime(2025, 8, 29, 5, tzinfo=UTC)
SECOND = FIRST + timedelta(days=8)


def force(mode: str) -> None:
    """Every folder is to be swapped in this mode."""

    def forced(data_dir: Path) -> Site:
        return replace(look(data_dir), mode=mode)

    restore_module.look = forced  # type: ignore[attr-defined]


def main(kind: str, folder: Path) -> None:
    settings = read_settings(base_dir=folder)
    require(settings)
    plan, storage = settings.plan, open_storage(settings.storage)
    progress = WrittenDown(folder / "effects")
    if kind == "backup":
        now = SECOND + timedelta(minutes=int(os.environ.get("DYING_LATER", "0")))
        run_backup(plan, storage, progress, now=now, job_id="dying", fence=2)
    elif kind == "restore":
        run_restore(plan, storage, progress, key="latest", now=SECOND)
    elif kind == "part":
        run_restore_part(plan, storage, progress, key="latest", words=["state"], now=SECOND)
    elif kind == "elsewhere":
        run_restore_to(plan, storage, progress, key="latest", target=folder / "elsewhere")
    elif kind == "get":
        found = find_backup(storage, plan, "latest")
        save(storage, plan, found, b"state", folder / "got", progress)
    else:
        run_undo(plan, progress, now=SECOND)


if __name__ == "__main__":
    if len(sys.argv) > 3:
        force(sys.argv[3])
    try:
        main(sys.argv[1], Path(sys.argv[2]))
    except EngineError as error:
        sys.exit(f"{error.code}: {error.message}")
