"""tarkeep_client against the real web part."""

import hashlib
import json
import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import httpx
import pytest
from drf_spectacular.generators import SchemaGenerator

from backups_app.models import Job, Once
from backups_app.states import State
from tarkeep_client import JobFailed, Tarkeep, TarkeepError
from tarkeep_client.manage import Managing
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.service import KEY, TOKEN, finished_job, service, service_on_s3
from tests.support.webserver import web
from worker.engine.backup import run_backup
from worker.engine.progress import Progress
from worker.engine.storage.s3 import open_storage

__all__ = ["service", "service_on_s3", "web"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tarkeep(web, service_on_s3):
    with Tarkeep(f"http://{web}", token=TOKEN) as client:
        yield client


def test_a_backup_is_started_awaited_and_cancelled(tarkeep):
    job = tarkeep.back_up()
    assert job["state"] == "PENDING"
    assert tarkeep.cancel(job)["state"] == "CANCELLED"
    with pytest.raises(JobFailed) as failed:
        tarkeep.wait(job)
    assert failed.value.code == "CANCELLED"


def test_what_went_well_is_returned(tarkeep):
    done = finished_job(backup_key=KEY)
    assert tarkeep.wait(tarkeep.job(str(done.pk)))["backupKey"] == KEY


def test_refusals_are_errors_with_their_code(tarkeep, tmp_path):
    for refused, code in (
        (lambda: tarkeep.restore(KEY), "BACKUP_NOT_FOUND"),
        (lambda: tarkeep.verify("x"), "KEY_MALFORMED"),
        (lambda: tarkeep.drill(KEY), "BACKUP_NOT_FOUND"),
        (tarkeep.undo, "NO_SAFETY_COPY"),
        (lambda: tarkeep.download(KEY, "x", tmp_path / "x"), "BACKUP_NOT_FOUND"),
    ):
        with pytest.raises(TarkeepError) as error:
            refused()
        assert error.value.code == code
        assert error.value.hint
    assert not any(tmp_path.glob("x*"))


def test_lists_are_whole(tarkeep):
    assert tarkeep.backups() == []
    assert tarkeep.status()["inProgress"] is False
    Job.objects.bulk_create(
        Job(kind="backup", trigger="api", state=State.SUCCEEDED) for _ in range(203)
    )
    assert len({job["id"] for job in tarkeep.jobs(state="SUCCEEDED")}) == 203
    assert list(tarkeep.jobs(kind="restore")) == []


def test_a_wrong_token_and_a_silent_server_are_told(web, service):
    with Tarkeep(f"http://{web}", token="wrong") as client, pytest.raises(TarkeepError) as error:
        client.status()
    assert (error.value.status, error.value.code) == (401, "AUTHENTICATION_FAILED")
    silent = Tarkeep("http://127.0.0.1:9", token="x", patience=0)
    with silent as client, pytest.raises(TarkeepError) as error:
        client.status()
    assert (error.value.status, error.value.code) == (0, "UNANSWERED")


def test_a_lost_answer_starts_nothing_twice(web, service_on_s3):
    proxy = FaultProxy(f"http://{web}", faults=[Fault("POST", "trigger", cut=-1)])
    try:
        with Tarkeep(proxy.endpoint, token=TOKEN) as client:
            job = client.back_up()
    finally:
        proxy.stop()
    assert len([line for line in proxy.seen if "trigger" in line]) == 2
    assert [str(one.pk) for one in Job.objects.all()] == [job["id"]]


def test_a_lost_answer_to_a_request_that_is_still_at_work_is_waited_for(web, service_on_s3):
    """The first one is answered by the server while the client asks for the second time."""
    client = Tarkeep(f"http://{web}", token=TOKEN, patience=20)
    at_work = threading.Event()
    ask, asked = client._http.request, []

    def lose_the_first(*given, **parts):
        asked.append(parts["headers"]["Idempotency-Key"])
        if len(asked) == 1:
            begun = Once.objects.begin(
                caller="token-fixed", key=asked[0], fingerprint=fingerprint_of(TRIGGER)
            )
            assert begun[1]
            raise httpx.ReadTimeout("lost")
        if len(asked) == 3:
            Once.objects.all().delete()
            at_work.set()
        return ask(*given, **parts)

    client._http.request = lose_the_first
    with client:
        job = client.back_up()
    assert at_work.is_set()
    assert len(set(asked)) == 1
    assert Job.objects.get().pk == uuid.UUID(job["id"])


TRIGGER = ("POST", "/api/backup/trigger", {})


def fingerprint_of(request):
    method, path, body = request
    text = "\n".join((method, path, json.dumps(body, sort_keys=True)))
    return hashlib.sha256(text.encode()).hexdigest()


def test_what_a_refusal_tells_beyond_its_code_is_there_too(tarkeep):
    first = tarkeep.back_up()
    with pytest.raises(TarkeepError) as refused:
        tarkeep.back_up()
    assert refused.value.code == "JOB_ACTIVE"
    assert refused.value.answer["job"]["id"] == first["id"]


@pytest.fixture
def two_backups(service_on_s3):
    storage = open_storage(service_on_s3.storage)
    (service_on_s3.plan.data_dir / "sub").mkdir()
    for day in (1, 2):
        (service_on_s3.plan.data_dir / "sub" / f"{day}.txt").write_text("x" * day)
        at = datetime(2026, 1, day, tzinfo=UTC)
        run_backup(service_on_s3.plan, storage, Progress(), now=at)


def test_one_looks_into_backups_and_at_what_is_kept(tarkeep, two_backups, tmp_path):
    new, old = tarkeep.backups()
    assert [entry["name"] for entry in tarkeep.files("latest", "sub")] == ["1.txt", "2.txt"]
    assert [entry["path"] for entry in tarkeep.search("2.txt")] == ["sub/2.txt"]
    changed = {one["path"]: one["change"] for one in tarkeep.diff(old["key"])}
    assert changed["sub/2.txt"] == "added"
    tarkeep.download("latest", "sub/2.txt", tmp_path / "2.txt")
    assert (tmp_path / "2.txt").read_text() == "xx"
    assert tarkeep.preview_restore(old["key"])["totals"]["removed"]["entries"] == 1
    tarkeep.pin(old["key"])
    assert [backup["pinned"] for backup in tarkeep.backups()] == [False, True]
    tarkeep.unpin(old["key"])
    assert tarkeep.retention()["halted"] == ""
    assert (tarkeep.prune(), tarkeep.tidy()["deleted"]) == ([], [])
    assert tarkeep.dry_run()["files"] == 3
    tarkeep.delete(old["key"])
    assert [backup["key"] for backup in tarkeep.backups()] == [new["key"]]


def test_tokens_and_the_audit_log(tarkeep, web):
    made = tarkeep.make_token("report", role="viewer", days=3)
    with Tarkeep(f"http://{web}", token=made["token"]) as reader:
        assert reader.me()["permissions"] == ["view_job"]
        tarkeep.revoke_token(made)
        with pytest.raises(TarkeepError, match="revoked"):
            reader.me()
    assert [token["name"] for token in tarkeep.tokens()] == ["report"]
    entries = list(tarkeep.audit())
    assert [entry["action"] for entry in entries] == ["me", "revoke-token", "tokens"]
    assert list(tarkeep.audit("tokens")) == entries[2:]


def test_plans_are_made_and_each_is_worked_with_by_its_name(tarkeep, web, tmp_path):
    (tmp_path / "media").mkdir()
    made = tarkeep.make_plan("media", str(tmp_path / "media"), maxBackups=5)
    assert [plan["name"] for plan in tarkeep.plans()] == ["default", "media"]
    with Tarkeep(f"http://{web}", token=TOKEN, plan="media") as media:
        assert (media.status()["plan"], media.backups()) == ("media", [])
        assert media.retention()["backups"] == []
        assert media.back_up()["plan"] == "media"
    assert tarkeep.change_plan("media", schedule="@daily")["schedule"] == "0 0 * * *"
    assert tarkeep.plan("media") == {**made, "schedule": "0 0 * * *"}
    with pytest.raises(TarkeepError, match="has a job at work"):
        tarkeep.remove_plan("media")
    for job in tarkeep.jobs(plan="media"):
        tarkeep.cancel(job)
    tarkeep.remove_plan("media")
    assert [plan["name"] for plan in tarkeep.plans()] == ["default"]


def test_there_is_a_method_for_every_operation_of_the_api(tarkeep, tmp_path):
    """Each is called; what comes of it other tests see to."""
    asked = set()
    tarkeep._http.event_hooks["request"] = [
        lambda request: asked.add((request.method, request.url.path))
    ]
    job = {"id": str(finished_job().pk)}
    given = {
        "restore": (KEY,), "verify": (KEY,), "drill": (KEY,), "preview_restore": (KEY,),
        "pin": (KEY,), "unpin": (KEY,), "delete": (KEY,), "files": (KEY,), "search": ("x",),
        "diff": (KEY,), "download": (KEY, "x", tmp_path / "x"), "job": (job["id"],),
        "job_log": (job["id"],), "cancel": (job,), "make_token": ("x",),
        "revoke_token": ({"id": "00000000"},), "plan": ("media",), "change_plan": ("media",),
        "make_plan": ("media", "/srv/media"), "remove_plan": ("media",),
    }  # fmt: skip
    for name in sorted(vars(Tarkeep) | vars(Managing)):
        if not name.startswith("_") and name != "wait":
            with suppress(TarkeepError):
                answer = getattr(tarkeep, name)(*given.get(name, ()))
                list(answer) if isinstance(answer, Iterator) else None
    operations = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    missing = [
        (method, path)
        for path, methods in operations.items()
        for method in methods
        if not any(serves(method, path, one) for one in asked)
    ]
    assert missing == []


def serves(method, path, asked):
    pattern = re.sub(r"\{\w+\}", "[0-9a-f-]+", path.rstrip("/").replace("{name}", "media"))
    return asked[0].lower() == method and re.fullmatch(pattern, asked[1])
