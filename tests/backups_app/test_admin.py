"""Django's admin shows jobs, changes none, and starts backups."""

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.utils import timezone

from backups_app.models import Job, JobLine, Notice, OpenAlert, Part, PartSeen, Trigger
from backups_app.states import State
from tests.support.people import browser_with, person, superuser
from tests.support.service import claimed_job, finished_job, make_job

pytestmark = pytest.mark.django_db
LIST = "/admin/backups_app/job/"
TOKENS, AUDIT = "/admin/backups_app/apitoken/", "/admin/backups_app/auditentry/"
USERS = "/admin/auth/user/"


@pytest.fixture
def admin_client(service):
    return browser_with(superuser())


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


def test_a_job_shows_how_far_it_is_and_what_it_said(admin_client):
    job = claimed_job(bytes_done=1, bytes_total=4, backup_key="backups/a b.tar.gz")
    JobLine.objects.create(job=job, at=timezone.now(), level="INFO", text="<b>scanning</b>")
    assert ">25<" in admin_client.get(LIST).content.decode()
    page = admin_client.get(f"{LIST}{job.pk}/change/").content.decode()
    assert "&lt;b&gt;scanning&lt;/b&gt;" in page
    assert f'href="/#/jobs/{job.pk}"' in page
    assert 'href="/#/backups/backups%2Fa%20b.tar.gz"' in page


def test_back_up_now_asks_first(admin_client):
    assert f'href="{LIST}back-up-now/"' in admin_client.get(LIST).content.decode()
    assert "Yes, back up now" in admin_client.get(f"{LIST}back-up-now/").content.decode()
    assert not Job.objects.exists()
    answer = admin_client.post(f"{LIST}back-up-now/", follow=True)
    job = Job.objects.get()
    assert (job.state, job.trigger, job.requested_by) == ("PENDING", Trigger.ADMIN, "root")
    assert f"Backup {str(job.pk)[:8]} is queued." in answer.content.decode()


def test_back_up_now_says_what_is_in_the_way(admin_client):
    make_job()
    answer = admin_client.post(f"{LIST}back-up-now/", follow=True)
    assert "A backup is pending already" in answer.content.decode()
    assert Job.objects.count() == 1


def test_back_up_now_needs_the_csrf_token(service):
    client = Client(enforce_csrf_checks=True)
    client.force_login(superuser())
    assert client.post(f"{LIST}back-up-now/").status_code == 403


def test_staff_without_the_permission_has_no_button(service):
    staff = get_user_model().objects.create_user("eve", is_staff=True)
    staff.user_permissions.add(Permission.objects.get(codename="view_job"))
    client = browser_with(staff)
    assert "Back up now" not in client.get(LIST).content.decode()
    for method in (client.get, client.post):
        assert method(f"{LIST}back-up-now/").status_code == 403
    assert not Job.objects.exists()


def test_settings_are_shown_with_their_source_and_without_secrets(admin_client):
    page = admin_client.get("/admin/settings/").content.decode()
    assert all(f"<th>{one.name}</th>" in page for one in settings.SETTINGS_IN_EFFECT)
    assert "environment" in page
    assert "nothing-at-all" not in page
    assert "only-for-tests" not in page
    assert 'href="/admin/settings/"' in admin_client.get("/admin/").content.decode()


def test_row_86_what_a_role_opens_in_the_admin_and_what_is_left_of_it_when_it_is_taken(service):
    pages = {
        "/admin/": True, LIST: True, "/admin/settings/": True, TOKENS: False, AUDIT: False,
        USERS: False,
    }  # fmt: skip
    keeper = person("admin")
    assert {url: opens(keeper, url) for url in pages} == dict.fromkeys(pages, True)
    keeper.groups.set([Group.objects.get(name="viewer")])
    assert {url: opens(keeper, url) for url in pages} == dict.fromkeys(pages, False)
    keeper.is_staff = True
    keeper.save()
    assert {url: opens(keeper, url) for url in pages} == pages
    keeper.is_active = False
    keeper.save()
    assert {url: opens(keeper, url) for url in pages} == dict.fromkeys(pages, False)


def opens(user, url):
    return browser_with(get_user_model().objects.get(pk=user.pk)).get(url).status_code == 200


def test_what_watches_can_be_looked_at_and_not_changed(admin_client):
    now = timezone.now()
    notice = Notice.objects.create(event="failure", title="It broke", target="t", next_at=now)
    alert = OpenAlert.objects.create(plan="default", code="OVERDUE", message="It is late")
    PartSeen.objects.mark("web@here:1", Part.WEB)
    pages = {"notice": "It broke", "openalert": "It is late", "partseen": "web@here:1"}
    for name, told in pages.items():
        assert told in admin_client.get(f"/admin/backups_app/{name}/").content.decode()
    for row, name in ((notice, "notice"), (alert, "openalert")):
        page = f"/admin/backups_app/{name}/{row.pk}/change/"
        assert 'name="_save"' not in admin_client.get(page).content.decode()
        assert admin_client.post(page, {}).status_code == 403
