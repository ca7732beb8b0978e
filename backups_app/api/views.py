"""The endpoints. Each looks up, checks, calls a service, serialises."""

from __future__ import annotations

from time import monotonic, sleep
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backups_app import services
from backups_app.api import serialisers as s
from backups_app.api.auth import TokenHolder
from backups_app.api.errors import status_of_failure
from backups_app.models import Job, Trigger
from backups_app.states import State
from backups_app.status import status

LOOK_EVERY: Final = 0.5

REFUSALS: Final[dict[int, Any]] = {
    401: OpenApiResponse(s.ErrorSerialiser, "Neither logged in nor a right token"),
    403: OpenApiResponse(s.ErrorSerialiser, "Logged in, but the CSRF token is missing"),
}
STARTING: Final[dict[int, Any]] = {
    202: OpenApiResponse(s.JobAnswerSerialiser, "Queued"),
    400: OpenApiResponse(s.ErrorSerialiser, "The request is malformed"),
    409: OpenApiResponse(s.ConflictSerialiser, "Another job is active; `job` is that one"),
    503: OpenApiResponse(s.ErrorSerialiser, "Settings are wrong, or the storage is unreachable"),
    **REFUSALS,
}
FINDING: Final[dict[int, Any]] = {
    **STARTING,
    404: OpenApiResponse(s.ErrorSerialiser, "There is no such backup"),
    502: OpenApiResponse(s.ErrorSerialiser, "The storage answered with an error"),
}
MISSING: Final[dict[int, Any]] = {404: OpenApiResponse(s.ErrorSerialiser, "No such job")}


class StatusView(APIView):
    @extend_schema(operation_id="status", responses={200: s.StatusSerialiser, **REFUSALS})
    def get(self, request: Request) -> Response:
        """The state of the service at a glance."""
        return Response(s.StatusSerialiser(status(settings.TARKEEP)).data)


class TriggerView(APIView):
    @extend_schema(
        operation_id="trigger",
        request=None,
        parameters=[s.WaitSerialiser],
        responses={
            200: OpenApiResponse(s.FinishedAnswerSerialiser, "With wait: succeeded in time"),
            500: OpenApiResponse(s.ConflictSerialiser, "With wait: failed; says why"),
            502: OpenApiResponse(s.ConflictSerialiser, "With wait: failed because of the storage"),
            **STARTING,
        },
    )
    def post(self, request: Request) -> Response:
        """Start a backup now. With `wait`, answer when it has ended or the time is over."""
        query = _query(s.WaitSerialiser, request)
        job = services.start_backup(trigger=_trigger(request), requested_by=_who(request))
        if query["wait"]:
            job = _wait(job, query["wait"])
        return _answer_of_wait(job)


class RestoreView(APIView):
    @extend_schema(operation_id="restore", request=s.BackupKeySerialiser, responses=FINDING)
    def post(self, request: Request) -> Response:
        """Put a backup in the place of the data folder; the present one is kept beside it."""
        key = _body(s.BackupKeySerialiser, request)["backupKey"]
        job = services.start_restore(key=key, trigger=_trigger(request), requested_by=_who(request))
        return _queued("Restore queued", job)


class VerifyView(APIView):
    @extend_schema(operation_id="verify", request=s.BackupKeySerialiser, responses=FINDING)
    def post(self, request: Request) -> Response:
        """Read a whole backup and check it. Changes nothing."""
        key = _body(s.BackupKeySerialiser, request)["backupKey"]
        job = services.start_verify(key=key, trigger=_trigger(request), requested_by=_who(request))
        return _queued("Verification queued", job)


class BackupsView(APIView):
    @extend_schema(
        operation_id="list",
        responses={
            200: s.BackupListSerialiser,
            502: OpenApiResponse(s.ErrorSerialiser, "The storage answered with an error"),
            503: STARTING[503],
            **REFUSALS,
        },
    )
    def get(self, request: Request) -> Response:
        """All backups in the bucket, newest first."""
        return Response(s.BackupListSerialiser({"backups": services.list_backups()}).data)


class JobsView(APIView):
    @extend_schema(
        operation_id="jobs",
        parameters=[s.PageSerialiser],
        responses={
            200: s.JobListSerialiser,
            400: OpenApiResponse(s.ErrorSerialiser, "limit or offset is malformed"),
            **REFUSALS,
        },
    )
    def get(self, request: Request) -> Response:
        """The history, newest first."""
        page = _query(s.PageSerialiser, request)
        jobs = Job.objects.all()
        shown = jobs[page["offset"] : page["offset"] + page["limit"]]
        return Response(s.JobListSerialiser({"count": jobs.count(), "jobs": shown}).data)


class JobView(APIView):
    @extend_schema(operation_id="job", responses={200: s.JobSerialiser, **MISSING, **REFUSALS})
    def get(self, request: Request, job_id: UUID) -> Response:
        """One job."""
        return Response(s.job_json(get_object_or_404(Job, pk=job_id)))


class CancelView(APIView):
    @extend_schema(
        operation_id="cancel",
        request=None,
        responses={
            202: OpenApiResponse(s.JobAnswerSerialiser, "It stops within seconds"),
            409: OpenApiResponse(s.ErrorSerialiser, "It has ended, or is past stopping"),
            **MISSING,
            **REFUSALS,
        },
    )
    def post(self, request: Request, job_id: UUID) -> Response:
        """Cancel a job that waits or runs."""
        job = services.cancel_job(get_object_or_404(Job, pk=job_id))
        return _queued("Job cancelled" if job.state == State.CANCELLED else "Job stopping", job)


def _query(serialiser: type[s.Serialiser], request: Request) -> dict[str, Any]:
    return _valid(serialiser(data=request.query_params))


def _body(serialiser: type[s.Serialiser], request: Request) -> dict[str, Any]:
    return _valid(serialiser(data=request.data))


def _valid(checked: s.Serialiser) -> dict[str, Any]:
    checked.is_valid(raise_exception=True)
    return dict(checked.validated_data)


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


def _queued(message: str, job: Job) -> Response:
    return Response(s.JobAnswerSerialiser({"message": message, "job": job}).data, status=202)


def _answer_of_wait(job: Job) -> Response:
    if job.is_active:
        return _queued("Backup queued", job)
    if job.state == State.SUCCEEDED:
        done = {"message": "Backup completed", "job": job}
        return Response(s.FinishedAnswerSerialiser(done).data)
    error = s.error_of(job) or {"code": job.state, "message": "The backup was stopped", "hint": ""}
    return Response({**error, "job": s.job_json(job)}, status=status_of_failure(error["code"]))
