"""Row 53: the volume with the data is not mounted, and its mount point is there instead."""

import subprocess
from contextlib import contextmanager
from dataclasses import replace

import pytest

from backups_app import watcher
from backups_app.models import Job
from backups_app.states import State
from tests.support.places import needs_mounts
from tests.support.receiver import receiver
from tests.support.service import make_job
from worker.engine.catalogue import list_backups
from worker.engine.notify.variables import NotifyConfig
from worker.engine.storage.s3 import open_storage
from worker.tasks import run_job

pytestmark = [
    pytest.mark.django_db(transaction=True),
    needs_mounts,
]


@contextmanager
def volume(folder):
    subprocess.run(["mount", "-t", "tmpfs", "none", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def backup(told):
    job = make_job()
    run_job(str(job.pk))
    watcher.post()
    titles = [body for _, _, body in told.requests]
    told.requests.clear()
    return Job.objects.get(pk=job.pk), "\n".join(titles)


def test_row_53_an_unmounted_volume_is_refused_and_told_and_costs_no_backup(
    service_on_s3, settings, tmp_path
):
    data = tmp_path / "volume"
    (data / "media" / "2025").mkdir(parents=True)
    plan = replace(service_on_s3.plan, data_dir=data, max_backups=1)
    with receiver() as told:
        notify = NotifyConfig(urls=(f"json://{told.address}/hook",), allow_private=True)
        settings.TARKEEP = replace(service_on_s3, plan=plan, notify=notify)
        with volume(data):
            (data / "media").mkdir()
            (data / "media" / "photo").write_text("precious")
            good, _ = backup(told)
        refused, message = backup(told)
    assert (good.state, refused.state) == (State.SUCCEEDED, State.FAILED)
    assert refused.error_code == "SOURCE_EMPTY"
    assert "backup failed" in message
    assert "There is no file in the data folder" in message
    assert "Is what belongs there mounted?" in message
    kept = list_backups(open_storage(service_on_s3.storage), plan)
    assert [one.key for one in kept] == [good.backup_key]
