"""GET, POST plans; GET, PATCH, DELETE plans/NAME; and `plan` everywhere else."""

import pytest
from django.test import Client

from backups_app.models import AuditEntry, Job, OpenAlert, Plan
from backups_app.states import State
from tests.support.people import browser_of
from tests.support.s3client import s3_client
from tests.support.service import claimed_job, finished_job
from worker.tasks import run_job

pytestmark = pytest.mark.django_db
URL = "/api/backup/plans"


@pytest.fixture
def media(service, api, tmp_path):
    """A second folder of this machine."""
    folder = tmp_path / "media"
    folder.mkdir()
    (folder / "film.bin").write_bytes(b"film")
    body = {"name": "media", "dataDir": str(folder)}
    return api.post(URL, body, content_type="application/json").json()


def change(api, body, name="media"):
    return api.patch(f"{URL}/{name}", body, content_type="application/json")


def test_at_first_there_is_the_plan_of_the_environment_alone(service, api):
    answer = api.get(URL).json()
    (plan,) = answer["plans"]
    assert (plan["name"], plan["host"], plan["fromEnvironment"]) == ("default", "main", True)
    assert plan["dataDir"] == str(service.plan.data_dir)
    assert answer["hosts"] == []


def test_a_new_plan_has_defaults_and_a_place_of_its_own(media, api):
    assert (media["host"], media["schedule"], media["maxBackups"]) == ("main", "0 2 * * *", 3)
    assert media["prefix"] == "backups/media/"
    assert api.get(f"{URL}/media").json() == media
    assert [one["name"] for one in api.get(URL).json()["plans"]] == ["default", "media"]
    assert (AuditEntry.objects.last().action, AuditEntry.objects.last().target) == (
        "plans",
        "media",
    )


def test_what_does_not_go_is_refused_by_its_field(media, api):
    again = {"name": "two", "dataDir": media["dataDir"], "exclude": ["*.log"], "maxBackups": 0}
    answer = api.post(URL, again, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")
    assert "maxBackups:" in answer.json()["message"]
    again["maxBackups"] = 1
    answer = api.post(URL, again, content_type="application/json")
    assert "dataDir: The plan media has" in answer.json()["message"]
    assert Plan.objects.count() == 1


def test_a_plan_is_changed_and_removed_its_history_stays(media, api):
    changed = change(api, {"schedule": "@hourly", "exclude": ["*.tmp"]}).json()
    assert changed == {**media, "schedule": "0 * * * *", "exclude": ["*.tmp"]}
    finished_job(plan="media")
    OpenAlert.objects.create(plan="media", code="OVERDUE")
    assert api.delete(f"{URL}/media").json() == changed
    assert not OpenAlert.objects.exists()
    assert api.get(f"{URL}/media").json()["code"] == "PLAN_NOT_FOUND"
    assert api.get("/api/backup/jobs?plan=media").json()["count"] == 1


def test_while_a_job_is_at_work_its_folder_stays_and_so_does_the_plan(media, api):
    claimed_job(plan="media")
    assert "dataDir:" in change(api, {"dataDir": "/srv/other"}).json()["message"]
    assert change(api, {"maxBackups": 9}).status_code == 200
    busy = api.delete(f"{URL}/media")
    assert (busy.status_code, busy.json()["code"]) == (409, "PLAN_BUSY")


def test_the_environments_plan_and_names_are_not_changed_here(media, api):
    refused = change(api, {"maxBackups": 9}, name="default")
    assert (refused.status_code, refused.json()["code"]) == (409, "PLAN_OF_ENVIRONMENT")
    assert "name:" in change(api, {"name": "other"}).json()["message"]


def test_only_administrators_who_signed_in_just_now_change_plans(service):
    body = {"name": "etc", "dataDir": "/etc"}
    for role, age, code in (("restorer", 0, "NOT_ALLOWED"), ("admin", 10**6, "LOGIN_TOO_OLD")):
        browser = browser_of(role, role, age=age)
        answer = browser.post(URL, body, content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (403, code)
        assert browser.get(URL).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["status", "list", "retention", "settings", "jobs", "jobs/days", "jobs/series",
     "search?q=x"],
)  # fmt: skip
def test_an_unknown_plan_is_named_everywhere(service, api, path):
    answer = api.get(f"/api/backup/{path}{'&' if '?' in path else '?'}plan=nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, "PLAN_NOT_FOUND")


@pytest.mark.parametrize("path", ["trigger", "undo", "schedule/pause", "schedule/resume"])
def test_a_plan_is_named_in_the_address_or_the_body_but_not_twice(media, api, path):
    url = f"/api/backup/{path}"
    both = api.post(f"{url}?plan=media", {"plan": "default"}, content_type="application/json")
    assert both.status_code == 400
    odd = api.post(url, {"plan": ["media"]}, content_type="application/json")
    assert odd.status_code == 400
    assert not Job.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_each_plan_backs_up_its_folder_into_its_series(service_on_s3, media, api):
    for url, body in (("trigger?plan=media", {}), ("trigger", {})):
        answer = api.post(f"/api/backup/{url}", body, content_type="application/json")
        assert answer.status_code == 202, answer.json()
        run_job(answer.json()["jobId"])
    made = {job.plan: job for job in Job.objects.all()}
    assert {job.state for job in made.values()} == {State.SUCCEEDED}
    keys = {name: job.backup_key for name, job in made.items()}
    assert keys["media"].startswith("backups/media/whatsapp-data-backup-")
    for plan, key in keys.items():
        listed = api.get(f"/api/backup/list?plan={plan}").json()["backups"]
        assert [one["key"] for one in listed] == [key]
        assert api.get(f"/api/backup/status?plan={plan}").json()["counts"]["backups"] == 1
    seen = api.get(f"/api/backup/files?plan=media&backupKey={keys['media']}").json()
    assert [one["name"] for one in seen["entries"]] == ["film.bin"]
    s3 = s3_client(service_on_s3.storage)
    stored = s3.list_objects_v2(Bucket=service_on_s3.storage.bucket)["Contents"]
    assert sum(one["Key"].endswith(".metadata.json") for one in stored) == 2


def test_a_key_of_one_plan_is_none_of_another(media, service, api):
    key = "backups/media/whatsapp-data-backup-2025-08-29T05-00-00-000Z.tar.gz"
    answer = api.post("/api/backup/verify", {"backupKey": key}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "KEY_MALFORMED")


def test_what_lies_on_another_machine_is_not_looked_at_from_here(service, api):
    body = {"name": "far", "host": "web2", "dataDir": str(service.plan.data_dir)}
    assert api.post(URL, body, content_type="application/json").status_code == 201
    key = "backups/far/whatsapp-data-backup-2025-08-29T05-00-00-000Z.tar.gz"
    preview = {"plan": "far", "backupKey": key}
    answer = api.post("/api/backup/preview-restore", preview, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (409, "OTHER_HOST")
    queued = api.post("/api/backup/undo", {"plan": "far"}, content_type="application/json")
    assert queued.json()["job"]["host"] == "web2"
    assert queued.json()["job"]["waits"]["code"] == "WORKER_AWAY"


def test_the_admin_makes_plans_by_the_same_rules(service, tmp_path):
    browser = browser_of("admin")
    page = "/admin/backups_app/plan/"
    assert str(service.plan.data_dir) in browser.get(page).content.decode()
    form = {
        "name": "media", "host": "main", "data_dir": "/srv/media", "schedule": "0 3 * * *",
        "max_backups": 3, "keep_daily": 0, "keep_weekly": 0, "keep_monthly": 0, "keep_yearly": 0,
        "compression_level": 6, "enabled": "on",
    }  # fmt: skip
    odd = browser.post(f"{page}add/", {**form, "data_dir": str(service.plan.data_dir)})
    assert "The plan default has" in odd.content.decode()
    assert browser.post(f"{page}add/", form).status_code == 302
    assert Plan.objects.get().prefix == "backups/media/"
    assert AuditEntry.objects.filter(action="add", target="plan media").exists()


def test_without_a_login_plans_are_nobodys_business(service):
    assert Client().get(URL).status_code == 401
