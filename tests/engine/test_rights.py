"""What a restore says before it fetches anything, where rights do not suffice."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.engine.packing import Heard
from tests.engine.test_swap_parts import as_nobody
from tests.faults.test_odd_files import ACCESS
from tests.support.memory_storage import MemoryStorage
from tests.support.root import needs_root
from worker.engine.backup import run_backup
from worker.engine.config import PlanConfig, RestoreConfig
from worker.engine.errors import TargetError
from worker.engine.progress import Progress
from worker.engine.restore import run_restore

NOW = datetime(2025, 8, 29, 5, tzinfo=UTC)
as_root = needs_root("only root can give files to others")


@pytest.fixture
def plan() -> Iterator[PlanConfig]:
    """A data folder with a folder in it, that anybody may reach."""
    base = Path(tempfile.mkdtemp())
    base.chmod(0o755)
    data = base / "place" / "data"
    (data / "sub").mkdir(parents=True)
    (data / "sub" / "file").write_text("saved")
    try:
        yield PlanConfig(data_dir=data, temp_dir=base / "temp")
    finally:
        shutil.rmtree(base)


def restored_as_nobody(plan: PlanConfig, spoil: Callable[[], None]) -> tuple[list[str], str]:
    """Phases told, and the first warning or the error, of a restore by another user than root."""
    storage, told = MemoryStorage(), plan.temp_dir / "told"
    run_backup(plan, storage, Progress(), now=NOW)
    plan.temp_dir.chmod(0o777)

    class Phases(Heard):
        def phase(self, name: str) -> None:
            with told.open("a") as file:
                print(name, file=file)

    def run() -> None:
        heard = Phases()
        try:
            run_restore(plan, storage, heard, key="latest", now=NOW)
            said = heard.codes[0] if heard.codes else ""
        except TargetError as error:
            said = f"{error.code}: {error.message}"
        with told.open("a") as file:
            print(said, file=file)

    assert as_nobody(plan.data_dir.parent, run, spoil) == 0
    *phases, said = told.read_text().splitlines()
    return phases, said


@as_root
def test_a_folder_of_somebody_else_that_can_be_moved_is_warned_of_first(plan: PlanConfig) -> None:
    phases, said = restored_as_nobody(plan, lambda: os.chown(plan.data_dir, 0, 0))
    assert said == "OWNER_NOT_RESTORED"
    assert phases[0] == "preparing"
    assert plan.data_dir.stat().st_uid == 65534


@as_root
def test_one_below_a_sticky_folder_is_refused_before_anything_is_fetched(plan: PlanConfig) -> None:
    def sticky() -> None:
        os.chown(plan.data_dir, 0, 0)
        os.chown(plan.data_dir.parent, 0, 0)
        plan.data_dir.parent.chmod(0o1777)

    phases, said = restored_as_nobody(plan, sticky)
    assert (phases, said.partition(":")[0]) == (["preparing"], "TARGET_UNWRITABLE")
    assert (plan.data_dir / "sub" / "file").read_text() == "saved"


@as_root
def test_a_folder_that_cannot_be_moved_out_of_a_volume_is_refused_first(plan: PlanConfig) -> None:
    def locked() -> None:
        os.chown(plan.data_dir / "sub", 0, 0)
        os.chown(plan.data_dir.parent, 0, 0)
        plan.data_dir.parent.chmod(0o555)  # so entries are moved one by one

    phases, said = restored_as_nobody(plan, locked)
    assert phases == ["preparing"]
    assert said.startswith("TARGET_UNWRITABLE")
    assert "data/sub" in said


@as_root
@pytest.mark.parametrize("keep", [False, True])
def test_set_user_id_bits_come_back_when_root_asks_for_them(plan: PlanConfig, keep: bool) -> None:
    file, storage, heard = plan.data_dir / "sub" / "file", MemoryStorage(), Heard()
    os.chown(file, 1234, 1234)
    file.chmod(0o6755)
    run_backup(plan, storage, Progress(), now=NOW)
    plan = replace(plan, restore=RestoreConfig(keep_setuid=keep))
    run_restore(plan, storage, heard, key="latest", now=NOW)
    found = file.stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (1234, 0o6755 if keep else 0o755)
    assert heard.codes == ([] if keep else ["MODE_REDUCED"])


@as_root
def test_acls_come_back_for_the_owner_too(plan: PlanConfig) -> None:
    file = plan.data_dir / "sub" / "file"
    os.setxattr(file, "system.posix_acl_access", ACCESS)
    acl = os.getxattr(file, "system.posix_acl_access")
    os.chown(file, 65534, 65534)
    restored_as_nobody(plan, lambda: None)
    assert os.getxattr(file, "system.posix_acl_access") == acl
