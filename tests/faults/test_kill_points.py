"""Rows 3, 48, 49, 61 and 67 of the fault matrix: SIGKILL at every named point of every job.

A real run in a process of its own, on a real S3 server, with an application of three instances
of which one does not run; and after it the real reaper. Whatever the point: the folder is all
old or all new, the application as it was, every listed backup whole, and nothing left lying.
"""

from __future__ import annotations

import ast
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backups_app.models import Job, Kind
from tests.engine import test_restore_places, test_swap, test_swap_parts
from tests.engine.instances.dying_run import read_effects
from tests.engine.test_undo import LATER, SAVED, fill
from tests.faults import test_joined, test_resume
from tests.faults.dying_job import FIRST, SECOND
from tests.support.places import content, leftovers, place
from tests.support.s3client import s3_client
from tests.support.service import claimed_job, expire
from worker.engine.backup import run_backup
from worker.engine.capture.workspace import PREFIX
from worker.engine.catalogue import list_backups
from worker.engine.config import RestoreConfig, StorageConfig
from worker.engine.naming import archive_key
from worker.engine.progress import Progress
from worker.engine.restore import run_restore
from worker.engine.resume.journal import PREFIX as JOURNAL
from worker.engine.scratch import GET
from worker.engine.settings import Settings, read_settings
from worker.engine.storage.s3 import open_storage
from worker.engine.swap.copies import safety_copies
from worker.engine.swap.site import ENTRIES, EXCHANGE, NEW, RENAME, look
from worker.engine.verify import run_verify
from worker.reaper import reap

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).parents[2]
KILLED = -9
THIRD = SECOND + timedelta(days=1)

INSTANCES = ["instances.noted", "instances.stopped", "instances.stopped:2", "instances.starting",
             "instances.started", "instances.started:2"]  # fmt: skip
BACKUP = [
    *INSTANCES, "backup.scanned", "backup.captured", "backup.upload-begun", "backup.packed",
    "backup.part-sent", "backup.parts-sent", "backup.committed", "backup.archive-sent",
    "backup.index-sent", "backup.published", "prune.deleted", "prune.deleted:2",
    "prune.deleted:3", "copies.renamed", "backup.pruned",
]  # fmt: skip
SWAP = ["restore.committed", "swap.journalled", "swap.done", "swap.over"]
OF_MODE = {
    EXCHANGE: ["swap.exchanged", "swap.exchange-synced", "swap.safety-named"],
    ENTRIES: ["entries.safety-made", "entries.moved-out:1", "entries.moved-out:2",
              "entries.all-out", "entries.turned", "entries.moved-in:1", "entries.moved-in:2",
              "entries.all-in"],
}  # fmt: skip
PART = ["restore-part.fetched", "parts.prepared", "parts.turned", "parts.exchanged", "parts.placed",
        "parts.all-in", "parts.listed"]  # fmt: skip
RESTORE = [*INSTANCES, "restore.fetched", *SWAP, "restore.started"]
BACK = [  # passes of the points on the way back, after the application was not well
    "instances.noted:2", "instances.stopped:3", "restore.committed:2", "swap.journalled:2",
    "swap.done:2", "swap.over:2", "restore.swapped-back", "instances.starting:2",
    "instances.started:3",
]  # fmt: skip
CARRY = ["carry.moved", "carry.moved:2", "carry.over"]  # in test_left_out.py
BACK_OF_MODE = {
    EXCHANGE: ["swap.exchanged:2", "swap.exchange-synced:2", "swap.safety-named:2"],
    ENTRIES: ["entries.moved-out:5", "entries.all-out:2", "entries.turned:2",
              "entries.moved-in:5", "entries.all-in:2"],
}  # fmt: skip
KILLS = [
    *[("backup", EXCHANGE, point) for point in BACKUP],
    *[("restore", mode, p) for mode in OF_MODE for p in (*RESTORE, *OF_MODE[mode])],
    *[("restore", RENAME, p) for p in ("swap.live-away", "swap.staged-in")],
    *[("restore", NEW, p) for p in ("swap.journalled", "swap.placed", "swap.done")],
    *[("unhealthy", mode, p) for mode in OF_MODE for p in (*BACK, *BACK_OF_MODE[mode])],
    *[("part", mode, p) for mode in OF_MODE for p in (*PART, *SWAP)],
    ("elsewhere", EXCHANGE, "restore-to.fetched"),
    ("get", EXCHANGE, "get.fetched"),
    *[("undo", mode, p) for mode in OF_MODE for p in (*SWAP, *OF_MODE[mode]) if ":2" not in p],
    *[("backup", ENTRIES, p) for p in ("backup.packed", "backup.published", "copies.renamed")],
]


@dataclass
class Scene:
    """One machine: folder, application, bucket; `base` holds all that is on the disk."""

    base: Path
    env: dict[str, str]
    live: Path

    @property
    def settings(self) -> Settings:
        return read_settings(self.env, base_dir=self.base)

    def quiet(self) -> tuple[Any, Any]:
        """Plan and storage for runs of the test itself, which stop nothing."""
        settings = self.settings
        plan = replace(settings.plan, stop_instances=False, restore=RestoreConfig())
        return plan, open_storage(settings.storage)

    @property
    def running(self) -> list[str]:
        return sorted(path.name for path in (self.base / "running").iterdir())

    def die(self, kind: str, mode: str, point: str) -> None:
        action = {"unhealthy": "restore"}.get(kind, kind)
        command = [sys.executable, "-m", "tests.faults.dying_job", action, str(self.base)]
        forced = [mode] if mode == RENAME else []
        done = subprocess.run(
            [*command, *forced],
            env={**self.env, "TARKEEP_CRASH_AT": point},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == KILLED, done.stderr

    def bury(self, kind: str) -> Job:
        """What the next worker does once the lease is over; the job that died."""
        action = kind if kind in Kind.values else Kind.RESTORE
        job = claimed_job(kind=action, effects=read_effects(self.base / "effects"))
        expire(job)
        reap(self.settings)
        buried = Job.objects.get(pk=job.pk)
        assert buried.cleaned_up
        return buried


@pytest.fixture
def scene(tmp_path: Path, storage_config: StorageConfig) -> Scene:
    """Makes a scene: a folder that was backed up, and changed since."""
    running = tmp_path / "running"
    running.mkdir()
    for name in ("one", "two"):
        (running / name).touch()
    file = shlex.quote(f"{running}/{{id}}")
    ours = {key: value for key, value in os.environ.items() if not key.startswith("BACKUP_")}
    env = ours | {
        "BACKUP_S3_BUCKET": storage_config.bucket,
        "BACKUP_S3_ENDPOINT": storage_config.endpoint,
        "BACKUP_S3_ACCESS_KEY": storage_config.access_key,
        "BACKUP_S3_SECRET_KEY": storage_config.secret_key,
        "BACKUP_DATA_DIR": str(tmp_path / "place" / "data"),
        "BACKUP_TEMP_DIR": str(tmp_path / "temp"),
        "BACKUP_MAX_BACKUPS": "1",
        "BACKUP_STOP_INSTANCES": "true",
        "BACKUP_INSTANCE_DRIVER": "command",
        "BACKUP_INSTANCE_COMMAND_IDS": "one,two,three",
        "BACKUP_INSTANCE_STOP_COMMAND": f"rm -f {file}",
        "BACKUP_INSTANCE_START_COMMAND": f"touch {file}",
        "BACKUP_INSTANCE_STATUS_COMMAND": f"test -e {file}",
        "BACKUP_INSTANCE_READY_TIMEOUT": "1",
    }
    return Scene(tmp_path, env, tmp_path / "place" / "data")


def prepare(scene: Scene, kind: str, mode: str) -> None:
    plan, storage = scene.quiet()
    fill(scene.live, SAVED)
    run_backup(plan, storage, Progress(), now=FIRST)
    fill(scene.live, LATER)
    if kind == "backup":
        look(scene.live).safety_copy(FIRST).mkdir()
    if kind == "undo":
        run_restore(plan, storage, Progress(), key="latest", now=FIRST)
    if kind == "unhealthy":
        wanted = f"test -e {shlex.quote(str(scene.live / 'new'))}"
        scene.env["BACKUP_INSTANCE_HEALTH_COMMAND"] = wanted
    if mode == NEW:
        scene.live.rename(scene.base / "lost")


@pytest.mark.invariant("I2", "I3", "I4", "I5", "I6", "I7")
@pytest.mark.row(3, 48, 49, 61, 67)
@pytest.mark.parametrize(("kind", "mode", "point"), KILLS, ids=str)
def test_row_67_a_kill_leaves_all_old_or_all_new_and_everything_as_it_was(
    kind: str, mode: str, point: str, scene: Scene
) -> None:
    with place(scene.live, ENTRIES if mode == ENTRIES else EXCHANGE):
        prepare(scene, kind, mode)
        scene.die(kind, mode, point)
        scene.bury(kind)
        check_folder(scene, kind, mode)
        check_bucket(scene)
        assert scene.running == ["one", "two"]
        go_on(scene)


def uploads(scene: Scene) -> list[tuple[str, str]]:
    """What the next attempt is told of the dead one."""
    effects = read_effects(scene.base / "effects")
    return [(one["key"], one["uploadId"]) for one in effects if one["effect"] == "upload"]


def check_folder(scene: Scene, kind: str, mode: str) -> None:
    """I5, I6: the live folder is one of the two, the other one is where it is said to be."""
    assert (leftovers(scene.live), list(scene.base.glob(f"{GET}*"))) == ([], [])
    copies = [content(copy.path) for copy in safety_copies(scene.live)]
    if not scene.live.exists():
        assert (mode, copies) == (NEW, [])
        return
    found = content(scene.live)
    if kind == "backup":
        assert (found, copies) in [(LATER, [{}]), (LATER, [])]
    elif kind == "undo":
        assert (found, copies) in [(SAVED, [LATER]), (LATER, [SAVED])]
    elif kind == "part":
        part = {**LATER, "state": "saved"}
        assert (found, copies) in [(part, [{"state": "later"}]), (LATER, [])]
    elif mode == NEW:
        assert (found, copies) == (SAVED, [])
    else:
        assert (found, copies) in [(SAVED, [LATER]), (LATER, [])]


def check_bucket(scene: Scene) -> None:
    """I2, I3, I7: what is listed is whole, and something is."""
    plan, storage = scene.quiet()
    keys = [info.key for info in list_backups(storage, plan)]
    assert set(keys) <= {archive_key(plan, FIRST), archive_key(plan, SECOND)}
    assert keys
    for key in keys:
        run_verify(plan, storage, Progress(), key=key)


def go_on(scene: Scene) -> None:
    """I6: the next backup and the next restore go well, and sweep up what is still there."""
    plan, storage = scene.quiet()
    if not scene.live.exists():
        run_restore(plan, storage, Progress(), key="latest", now=SECOND)
    before = content(scene.live)
    run_backup(plan, storage, Progress(), now=THIRD, unfinished=uploads(scene))
    s3 = s3_client(scene.settings.storage)
    assert not s3.list_multipart_uploads(Bucket=scene.settings.storage.bucket).get("Uploads")
    assert list(plan.temp_dir.glob(f"{JOURNAL}*")) == []
    assert list(plan.temp_dir.glob(f"{PREFIX}*")) == []
    fill(scene.live, {"other": "x"})
    run_restore(plan, storage, Progress(), key="latest", now=THIRD)
    assert content(scene.live) == before
    assert len(list_backups(storage, plan)) == 1


def test_no_point_is_in_the_code_that_no_test_kills_at() -> None:
    """Tests of the engine kill where no real run comes by: in recovery, on overlays, in parts."""
    elsewhere = [
        *[point for _, *points in test_swap.AGAIN for point in points],
        *[point for point, *_ in test_restore_places.PIECES],
        *[point for _, point in test_swap_parts.POINTS],
        *test_swap_parts.BACK,
        test_resume.POINT,
        test_joined.POINT,
        *CARRY,
    ]
    killed = {point.partition(":")[0] for point in (*[kill[2] for kill in KILLS], *elsewhere)}
    assert killed == set(points_of_the_code())


def points_of_the_code() -> Iterator[str]:
    for file in (ROOT / "worker").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "crashpoint":
                (name,) = node.args
                assert isinstance(name, ast.Constant), f"{file}: a point's name is written out"
                yield str(name.value)


def test_there_are_at_least_twenty_five_points_each_in_both_ways_to_swap() -> None:
    """Of backup and restore, by their names: a second pass of one is not another one."""
    for mode in OF_MODE:
        points = [point for _, of_mode, point in KILLS if of_mode == mode]
        assert len({point.partition(":")[0] for point in (*points, *CARRY)}) >= 25
