"""The endpoints about jobs: the history, one job, stopping it."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from backups_app import plans, roles, services
from backups_app.api import serialisers as s
from backups_app.api.base import View
from backups_app.api.requests import query_of
from backups_app.api.responses import MISSING, REFUSALS
from backups_app.api.starting import queued
from backups_app.models import Job
from backups_app.states import State


class JobsView(View):
    needs: ClassVar = {"GET": roles.VIEW}
    by_plan = True
    tagged = True

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
        """The history, newest first unless asked otherwise."""
        page = query_of(s.PageSerialiser, request)
        jobs = plans.history(self.plan).chosen(**page)
        shown = jobs[page["offset"] : page["offset"] + page["limit"]]
        return Response(s.JobListSerialiser({"count": jobs.count(), "jobs": shown}).data)


class JobView(View):
    needs: ClassVar = {"GET": roles.VIEW}

    @extend_schema(operation_id="job", responses={200: s.JobSerialiser, **MISSING, **REFUSALS})
    def get(self, request: Request, job_id: UUID) -> Response:
        """One job."""
        return Response(s.job_json(get_object_or_404(Job, pk=job_id)))


class CancelView(View):
    needs: ClassVar = {"POST": roles.START}

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
        return queued("Job cancelled" if job.state == State.CANCELLED else "Job stopping", job)
