"""POST /api/backup/undo"""

import pytest

from backups_app.models import Job, Kind
from backups_app.states import State
from tests.support.service import claimed_job
from worker.tasks import run_job

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/api/backup/undo/"


@pytest.fixture
def copy(service):
    """What a restore has replaced."""
    folder = service.plan.data_dir.with_name("data.before-restore-2025-08-29T05-00-00-000Z")
    folder.mkdir()
    (folder / "hello.txt").write_text("before the restore")
    return folder


def test_it_is_queued_and_puts_the_safety_copy_in_place(api, service, copy):
    answer = api.post(URL)
    job = Job.objects.get()
    assert answer.status_code == 202
    assert (answer.json()["jobId"], job.kind, job.requested_by) == (
        str(job.pk),
        Kind.UNDO,
        "API token",
    )
    run_job(str(job.pk))
    job.refresh_from_db()
    assert (job.state, job.committed_step) == (State.SUCCEEDED, "swap")
    assert job.result["copy"] == str(copy)
    assert (service.plan.data_dir / "hello.txt").read_text() == "before the restore"
    shown = api.get("/api/backup/status").json()["safetyCopies"]
    assert [one["path"] for one in shown] == [job.result["safetyCopy"]]


def test_without_a_safety_copy_there_is_nothing_to_undo(api, service):
    answer = api.post(URL)
    assert (answer.status_code, answer.json()["code"]) == (404, "NO_SAFETY_COPY")
    assert not Job.objects.exists()


def test_while_a_job_is_active_it_is_refused(api, service, copy):
    active = claimed_job()
    answer = api.post(URL)
    assert (answer.status_code, answer.json()["code"]) == (409, "JOB_ACTIVE")
    assert answer.json()["job"]["id"] == str(active.pk)


def test_strangers_may_not(client, service, copy):
    assert client.post(URL).status_code == 401
    assert not Job.objects.exists()
