"""Data folders in each of the ways that a restore may find them, and a look into them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from worker.engine.swap.site import ENTRIES, EXCHANGE, sites_of

MODES = (EXCHANGE, ENTRIES)
PRIVATE = ("unshare", "--mount", "--propagation", "private")  # a command with mounts of its own


def may_mount() -> bool:
    """Whether tests can mount here. In CI they must: there nothing is skipped."""
    probe = [*PRIVATE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    may = subprocess.run(probe, capture_output=True, check=False).returncode == 0
    if not may and os.environ.get("CI"):
        raise RuntimeError("CI may not mount file systems: these tests must run there")
    return may


needs_mounts = pytest.mark.skipif(not may_mount(), reason="may not mount file systems here")


@contextmanager
def place(folder: Path, mode: str) -> Iterator[Path]:
    """The folder, such that a restore replaces it in that mode.

    For `entries` it becomes a mount point, as a container's volume is; without root's rights,
    a folder in a parent that nobody may write to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if mode == EXCHANGE:
        yield folder
    elif os.geteuid() == 0:
        done = subprocess.run(["mount", "--bind", str(folder), str(folder)], check=False)
        if done.returncode:
            assert not os.environ.get("CI"), "CI may not mount file systems"
            pytest.skip("root that may not mount cannot make a folder that does not move")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
    else:
        folder.parent.chmod(0o555)
        try:
            yield folder
        finally:
            folder.parent.chmod(0o755)


def content(folder: Path) -> dict[str, str]:
    """Every file's text by its path, links as where they lead; our own working files left out."""
    found: dict[str, str] = {}
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".tarkeep-")]
        for name in (*folders, *files):
            path = Path(parent, name)
            if path.is_symlink():
                found[str(path.relative_to(folder))] = f"-> {path.readlink()}"
            elif path.is_file() and not name.startswith(".tarkeep-"):
                found[str(path.relative_to(folder))] = path.read_text(errors="replace")
    return found


def leftovers(live: Path) -> list[str]:
    """Journals and staging folders of restores, which no run may leave for good."""
    left = [path for site in sites_of(live) for path in (site.journal, *site.leftovers())]
    return [path.name for path in left if os.path.lexists(path)]
