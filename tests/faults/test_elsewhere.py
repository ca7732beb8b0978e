"""A restore into another folder that is killed, or whose disk fails: all of it, or nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.engine.test_undo import SAVED
from tests.faults.test_kill_points import Scene, prepare, scene
from tests.faults.test_restore import traced
from tests.support.places import content, needs_mounts
from worker.engine.progress import Progress
from worker.engine.restore_to import run_restore_to
from worker.engine.scratch import GET
from worker.engine.swap.site import EXCHANGE

__all__ = ["scene"]

pytestmark = pytest.mark.django_db(transaction=True)


def restore_to(scene: Scene, target: Path) -> None:
    plan, storage = scene.quiet()
    run_restore_to(plan, storage, Progress(), key="latest", target=target)


@pytest.mark.parametrize("is_there", [False, True])
def test_what_a_killed_one_left_is_gone_with_the_next(scene: Scene, is_there: bool) -> None:
    scene.live.mkdir(parents=True)
    prepare(scene, "restore", EXCHANGE)
    target = scene.base / "elsewhere"
    if is_there:
        target.mkdir(mode=0o750)
    scene.die("elsewhere", EXCHANGE, "restore-to.fetched")
    assert len(list(scene.base.glob(f"{GET}*"))) == 1
    restore_to(scene, target)
    assert content(target) == SAVED
    assert not list(scene.base.rglob(f"{GET}*"))
    assert not is_there or target.stat().st_mode & 0o777 == 0o750


@needs_mounts
@pytest.mark.parametrize("fault", ["", "renameat2:error=EIO:when=3", "fsync:error=EIO:when=1"])
def test_into_an_empty_disk_all_comes_or_nothing(scene: Scene, fault: str) -> None:
    """A mount point cannot be replaced by one rename, so each entry goes by itself."""
    scene.live.mkdir(parents=True)
    prepare(scene, "restore", EXCHANGE)
    target = scene.base / "elsewhere"
    target.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(target)], check=True)
    try:
        if not fault:
            restore_to(scene, target)
            assert content(target) == SAVED
            return
        done = traced(scene, fault, "elsewhere")
        assert "TARGET_UNWRITABLE" in done.stderr
        assert list(target.iterdir()) == []
    finally:
        subprocess.run(["umount", "--lazy", str(target)], check=True)


def test_folders_that_were_made_for_it_are_gone_after_an_error(scene: Scene) -> None:
    scene.live.mkdir(parents=True)
    prepare(scene, "restore", EXCHANGE)
    done = traced(scene, "syncfs:error=EIO", "elsewhere")
    assert "TARGET_UNWRITABLE" in done.stderr
    assert not (scene.base / "elsewhere").exists()
