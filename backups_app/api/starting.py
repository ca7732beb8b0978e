"""The endpoints that start a job, and wait for its end where they are asked to."""

from __future__ import annotations

from time import monotonic, sleep
from typing import Any, ClassVar, Final

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from backups_app import roles, services
from backups_app.api import serialisers as s
from backups_app.api.auth import TokenHolder
from backups_app.api.backup_serialisers import BackupKeySerialiser
from backups_app.api.base import View
from backups_app.api.errors import status_of_failure
from backups_app.api.file_serialisers import RestoreBody
from backups_app.api.permissions import demand_typed_name
from backups_app.api.requests import body_of, query_of
from backups_app.api.responses import FINDING, STARTING
from backups_app.models import Job, Mode, Trigger
from backups_app.states import State

LOOK_EVERY: Final = 0.5
TOLD, TOLD_CHARS = 20, 200


class TriggerView(View):
    needs: ClassVar = {"POST": roles.START}
    by_plan = True

    @extend_schema(
        operation_id="trigger",
        request=s.TriggerBody,
        parameters=[s.WaitSerialiser],
        responses=STARTING,
    )
    def post(self, request: Request) -> Response:
        """Start a backup now. With `wait`, answer when it has ended or the time is over."""
        query_of(s.WaitSerialiser, request)
        mode = _mode(request)
        self.tell(mode=mode.value)
        job = services.start_backup(
            trigger=_trigger(request), requested_by=_who(request), plan=self.plan, mode=mode
        )
        return _answer("Backup", request, job)


class RestoreView(View):
    needs: ClassVar = {"POST": roles.RESTORE}
    by_plan = True
    recent_login = True

    @extend_schema(
        operation_id="restore",
        request=RestoreBody,
        parameters=[s.WaitSerialiser],
        responses=FINDING,
    )
    def post(self, request: Request) -> Response:
        """Put a backup, or a part of it, in place; what is there now is kept beside it."""
        query_of(s.WaitSerialiser, request)
        body = body_of(RestoreBody, request)
        self.tell(**_extent(body))
        key = services.which_backup(body.get("backupKey", ""), body.get("at"), self.plan)
        demand_typed_name(request, key, body["confirm"])
        job = services.start_restore(
            key=key,
            paths=body["paths"],
            entries=body["entries"],
            target=body["to"],
            trigger=_trigger(request),
            requested_by=_who(request),
            plan=self.plan,
        )
        return _answer("Restore", request, job)


class UndoView(View):
    needs: ClassVar = {"POST": roles.RESTORE}
    by_plan = True
    recent_login = True

    @extend_schema(
        operation_id="undo",
        request=None,
        parameters=[s.WaitSerialiser],
        responses={
            **STARTING,
            404: OpenApiResponse(s.ErrorSerialiser, "There is no safety copy"),
        },
    )
    def post(self, request: Request) -> Response:
        """Undo the last restore: its safety copy and the data folder change places."""
        query_of(s.WaitSerialiser, request)
        job = services.start_undo(
            trigger=_trigger(request), requested_by=_who(request), plan=self.plan
        )
        return _answer("Undo", request, job)


class VerifyView(View):
    needs: ClassVar = {"POST": roles.START}
    by_plan = True

    @extend_schema(
        operation_id="verify",
        request=BackupKeySerialiser,
        parameters=[s.WaitSerialiser],
        responses=FINDING,
    )
    def post(self, request: Request) -> Response:
        """Read a whole backup and check it. Changes nothing."""
        query_of(s.WaitSerialiser, request)
        key = services.which_backup(
            body_of(BackupKeySerialiser, request)["backupKey"], plan=self.plan
        )
        job = services.start_verify(
            key=key, trigger=_trigger(request), requested_by=_who(request), plan=self.plan
        )
        return _answer("Verification", request, job)


class DrillView(View):
    needs: ClassVar = {"POST": roles.START}
    by_plan = True

    @extend_schema(
        operation_id="drill",
        request=BackupKeySerialiser,
        parameters=[s.WaitSerialiser],
        responses=FINDING,
    )
    def post(self, request: Request) -> Response:
        """Restore a backup into a scratch folder and check it there. Changes nothing else."""
        query_of(s.WaitSerialiser, request)
        key = services.which_backup(
            body_of(BackupKeySerialiser, request)["backupKey"], plan=self.plan
        )
        job = services.start_drill(
            key=key, trigger=_trigger(request), requested_by=_who(request), plan=self.plan
        )
        return _answer("Drill", request, job)


def _extent(body: dict[str, Any]) -> dict[str, Any]:
    """How much is restored and where to, for the audit log: a thousand paths are told by some."""
    entries = [path.decode("utf-8", "replace") for path in body["entries"]]
    words = [*body["paths"], *entries]
    paths = [path[:TOLD_CHARS] for path in words[:TOLD]]
    return {"paths": paths, "pathCount": len(words), "to": body["to"]}


def _mode(request: Request) -> Mode:
    """No body is needed, and whatever else is sent means nothing."""
    if not request.content_type.startswith("application/json"):
        return Mode.USUAL
    return Mode(body_of(s.TriggerBody, request)["mode"])


def _trigger(request: Request) -> Trigger:
    return Trigger.API if isinstance(request.user, TokenHolder) else Trigger.MANUAL


def _who(request: Request) -> str:
    return request.user.get_username()


def _wait(job: Job, seconds: int) -> Job:
    until = monotonic() + seconds
    while job.is_active and monotonic() < until:
        sleep(min(LOOK_EVERY, max(0.0, until - monotonic())))
        job.refresh_from_db()
    return job


def queued(message: str, job: Job) -> Response:
    return Response(s.JobAnswerSerialiser({"message": message, "job": job}).data, status=202)


def _answer(what: str, request: Request, job: Job) -> Response:
    """Of the job just queued; with `wait`, of how it ended in that time."""
    if seconds := query_of(s.WaitSerialiser, request)["wait"]:
        job = _wait(job, seconds)
    if job.is_active:
        return queued(f"{what} queued", job)
    if job.state == State.SUCCEEDED:
        done = {"message": f"{what} completed", "job": job}
        return Response(s.FinishedAnswerSerialiser(done).data)
    stopped = f"The {what.lower()} was stopped"
    error = s.error_of(job) or {"code": job.state, "message": stopped, "hint": ""}
    return Response({**error, "job": s.job_json(job)}, status=status_of_failure(error["code"]))
