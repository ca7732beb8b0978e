"""Run as a program that dies: `python -m tests.engine.crash_swap restore|recover LIVE MODE`.

`restore` stages a new tree beside LIVE and swaps it in with the mode forced to MODE;
`recover` is the start after the crash. TARKEEP_CRASH_AT says where to die.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from worker.engine.progress import Progress
from worker.engine.swap.journal import sync_folder
from worker.engine.swap.site import ENTRIES, Site, look
from worker.engine.swap.staging import staging
from worker.engine.swap.swap import finish_interrupted, swap

NOW = datetime(2025, 8, 29, 5, tzinfo=UTC)


def fill(folder: Path, word: str) -> None:
    """A small tree in which every file says which tree it belongs to."""
    for name in (f"only-{word}", "both", "both-folder/inner", f"folder-{word}/deep/file"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(word)
    (folder / "link").symlink_to(f"only-{word}")
    (folder / "both-folder").chmod(0o555)  # to move it takes rights that only root has anyway
    folder.chmod(0o750 if word == "new" else 0o705)


def restore(live: Path, mode: str) -> None:
    site = look(live)
    if mode == ENTRIES:
        site = Site(site.live, ENTRIES, site.live)
    elif site.mode != "new":
        site = replace(site, mode=mode)
    with staging(site, Progress()) as staged:
        fill(staged, "new")
        sync_folder(staged)
        swap(site, staged, site.safety_copy(NOW))


if __name__ == "__main__":
    _, action, live_name, mode_name = sys.argv
    if action == "restore":
        restore(Path(live_name), mode_name)
    else:
        finish_interrupted(Path(live_name))
