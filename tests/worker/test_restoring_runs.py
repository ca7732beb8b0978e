"""What a restore job does: a part in place, or a new folder, as its row says."""

import dataclasses
from datetime import UTC, datetime

import pytest

from backups_app.models import Kind
from tests.support.service import claimed_job
from worker import runs
from worker.engine.backup import run_backup
from worker.engine.errors import ConfigError
from worker.engine.progress import Progress
from worker.engine.storage.s3 import open_storage

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def key(service_on_s3):
    plan = service_on_s3.plan
    (plan.data_dir / "other.txt").write_text("saved")
    made = run_backup(plan, open_storage(service_on_s3.storage), Progress(), now=NOW)
    for name in ("hello.txt", "other.txt"):
        (plan.data_dir / name).write_text("spoilt")
    return made.key


def run(settings, **fields):
    job = claimed_job(kind=Kind.RESTORE, **fields)
    return runs.run(job, settings, Progress(), now=NOW)["result"]


def test_paths_are_restored_in_place(service_on_s3, key):
    data = service_on_s3.plan.data_dir
    result = run(service_on_s3, backup_key=key, paths=["other.txt"])
    assert (result["files"], result["mode"]) == (1, "parts")
    assert (data / "other.txt").read_text() == "saved"
    assert (data / "hello.txt").read_text() == "spoilt"


def test_a_target_is_a_new_folder_below_the_one_set(service_on_s3, key, tmp_path):
    plan = dataclasses.replace(service_on_s3.plan, restore_dir=tmp_path / "restored")
    allowed = dataclasses.replace(service_on_s3, plan=plan)
    result = run(allowed, backup_key=key, target="new")
    assert result["target"] == str(tmp_path / "restored" / "new")
    assert (tmp_path / "restored/new/other.txt").read_text() == "saved"
    assert (plan.data_dir / "other.txt").read_text() == "spoilt"


def test_a_target_is_refused_where_no_folder_is_set_any_more(service_on_s3, key):
    with pytest.raises(ConfigError):
        run(service_on_s3, backup_key=key, target="new")
