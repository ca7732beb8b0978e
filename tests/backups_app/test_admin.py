"""Django's admin shows jobs, changes none, and starts backups."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from backups_app.models import Job, Trigger
from backups_app.states import State
from tests.support.service import finished_job, make_job

pytestmark = pytest.mark.django_db
LIST = "/admin/backups_app/job/"


@pytest.fixture
def admin_client(service):
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root", "", "x"))
    return client


def test_jobs_are_listed_and_filtered(admin_client):
    bad = finished_job(State.FAILED, error_code="SOURCE_MISSING")
    good = finished_job()
    everything = admin_client.get(LIST).content.decode()
    assert str(bad.pk)[:8] in everything
    assert str(good.pk)[:8] in everything
    failed = admin_client.get(f"{LIST}?state__exact=FAILED").content.decode()
    assert str(bad.pk)[:8] in failed
    assert str(good.pk)[:8] not in failed


def test_a_job_can_be_looked_at_and_not_changed(admin_client):
    job = finished_job()
    page = admin_client.get(f"{LIST}{job.pk}/change/").content.decode()
    assert "Succeeded" in page
    assert 'name="_save"' not in page
    for path in (f"{LIST}{job.pk}/change/", f"{LIST}{job.pk}/delete/", f"{LIST}add/"):
        assert admin_client.post(path, {"state": "FAILED"}).status_code == 403
    assert Job.objects.get().state == State.SUCCEEDED


def test_back_up_now_queues_a_backup(admin_client):
    assert "Back up now" in admin_client.get(LIST).content.decode()
    answer = admin_client.post(f"{LIST}back-up-now/", follow=True)
    job = Job.objects.get()
    assert (job.state, job.trigger, job.requested_by) == ("PENDING", Trigger.ADMIN, "root")
    assert f"Backup {str(job.pk)[:8]} is queued." in answer.content.decode()


def test_back_up_now_says_what_is_in_the_way(admin_client):
    make_job()
    answer = admin_client.post(f"{LIST}back-up-now/", follow=True)
    assert "A backup is pending already" in answer.content.decode()
    assert Job.objects.count() == 1


def test_back_up_now_is_no_link(admin_client):
    assert admin_client.get(f"{LIST}back-up-now/").status_code == 405
    assert not Job.objects.exists()


def test_back_up_now_needs_the_csrf_token(service):
    client = Client(enforce_csrf_checks=True)
    client.force_login(get_user_model().objects.create_superuser("root", "", "x"))
    assert client.post(f"{LIST}back-up-now/").status_code == 403


def test_staff_without_the_permission_has_no_button(service):
    from django.contrib.auth.models import Permission

    staff = get_user_model().objects.create_user("eve", is_staff=True)
    staff.user_permissions.add(Permission.objects.get(codename="view_job"))
    client = Client()
    client.force_login(staff)
    assert "Back up now" not in client.get(LIST).content.decode()
    assert client.post(f"{LIST}back-up-now/").status_code == 403
    assert not Job.objects.exists()
