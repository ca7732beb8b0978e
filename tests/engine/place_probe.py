"""Run inside a private mount namespace: `unshare -m python -m tests.engine.place_probe CASE DIR`.

Mounts what the case needs below DIR, restores there, prints what came out as JSON.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.engine.crash_swap import fill
from tests.engine.test_swap import tree
from tests.support import hostile
from tests.support.memory_storage import MemoryStorage
from tests.support.unsynced import Unsynced
from worker.engine.config import PlanConfig
from worker.engine.errors import EngineError
from worker.engine.naming import archive_key
from worker.engine.progress import Progress
from worker.engine.restore import run_restore
from worker.engine.swap.journal import OUT
from worker.engine.swap.swap import finish_interrupted

NOW = datetime(2025, 8, 29, 5, tzinfo=UTC)


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def tmpfs(folder: Path, options: str = "size=64m") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    mount("-t", "tmpfs", "-o", options, "tmpfs", str(folder))


def bind_mount(base: Path) -> Path:
    """The data folder is a bind mount of the same file system, as a container's volume is."""
    fill(base / "elsewhere", "old")
    (base / "data").mkdir()
    mount("--bind", str(base / "elsewhere"), str(base / "data"))
    return base / "data"


def volume(base: Path) -> Path:
    """The data folder is a file system of its own."""
    tmpfs(base / "data")
    fill(base / "data", "old")
    return base / "data"


def overlay(base: Path) -> Path:
    """The data folder came with a container's image: its folders cannot be renamed."""
    tmpfs(base / "layers")
    for name in ("lower", "upper", "work"):
        (base / "layers" / name).mkdir()
    fill(base / "layers" / "lower" / "data", "old")
    (base / "app").mkdir()
    parts = [f"{key}={base}/layers/{name}" for key, name in
             (("lowerdir", "lower"), ("upperdir", "upper"), ("workdir", "work"))]  # fmt: skip
    options = ",".join([*parts, "redirect_dir=off", "xino=off"])
    mount("-t", "overlay", "-o", options, "overlay", str(base / "app"))
    return base / "app" / "data"


def inner_mount(base: Path) -> Path:
    """Something is mounted inside the data folder."""
    fill(base / "data", "old")
    tmpfs(base / "data" / "media")
    return base / "data"


def full_disk(base: Path) -> Path:
    """Enough space for the packed size, not for what is in it."""
    tmpfs(base / "disk", "size=24m")
    fill(base / "disk" / "data", "old")
    return base / "disk" / "data"


def no_inodes(base: Path) -> Path:
    tmpfs(base / "disk", "size=64m,nr_inodes=20")
    fill(base / "disk" / "data", "old")
    return base / "disk" / "data"


CASES: dict[str, Callable[[Path], Path]] = {
    function.__name__: function
    for function in (bind_mount, volume, overlay, inner_mount, full_disk, no_inodes)
}


def archive(base: Path, case: str) -> bytes:
    """A tar.gz of the new tree; for the full disk one with 20 MiB more."""
    source = base / "source" / "data"
    fill(source, "new")
    tar = subprocess.check_output(["tar", "-c", "--posix", "data"], cwd=source.parent)
    large = hostile.file(b"data/large", b"x" * 20 * 1024 * 1024)
    many = b"".join(hostile.file(b"data/%d" % number) for number in range(40))
    extra = {"full_disk": large, "no_inodes": many}.get(case, b"")
    return gzip.compress(extra + tar, 1)


def crash(base: Path, point: str) -> dict[str, object]:
    """Die while folders of an overlay are moved piece by piece, then start again."""
    live = overlay(base)
    command = [sys.executable, "-m", "tests.engine.crash_swap", "restore", str(live), "exchange"]
    died = subprocess.run(command, env={**os.environ, "TARKEEP_CRASH_AT": point}, check=False)
    return {"died": died.returncode, "outcome": finish_interrupted(live), "after": tree(live)}


def main(case: str, base: Path) -> dict[str, object]:
    live = CASES[case](base)
    plan = PlanConfig(data_dir=live)
    storage, key = MemoryStorage(), archive_key(plan, NOW)
    storage.put(key, archive(base, case))
    before, outcome, seen = tree(live), {}, Unsynced(base)
    try:
        with seen.watched():
            result = run_restore(plan, storage, Progress(), key=key, now=NOW)
        outcome = {"mode": result.mode, "safety": tree(result.safety_copy)}
    except EngineError as error:
        outcome = {"code": error.code}
    left = [n for n in (*os.listdir(live), *os.listdir(live.parent)) if "stage" in n]
    # What is noted within the first phase builds on nothing: that phase is taken back whole.
    early = [step for step in seen.early if step[0] != OUT]
    return {
        **outcome, "before": before, "after": tree(live), "left": left,
        "steps": seen.steps, "early": early,
    }  # fmt: skip


if __name__ == "__main__":
    _, chosen, folder = sys.argv
    answer = main if chosen in CASES else lambda point, base: crash(base, point)
    json.dump(answer(chosen, Path(folder)), sys.stdout)
