"""The endpoints about the past: a job's log, the days of the calendar, the curves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers as s
from rest_framework.request import Request
from rest_framework.response import Response

from backups_app import past, roles
from backups_app.api.base import View
from backups_app.api.requests import query_of
from backups_app.api.responses import MISSING, REFUSALS
from backups_app.api.serialisers import ErrorSerialiser
from backups_app.models import Job
from worker.engine import schedule
from worker.engine.errors import ConfigError

MALFORMED = {400: OpenApiResponse(ErrorSerialiser, "A parameter is malformed")}


class LogQuery(s.Serializer[Any]):
    after = s.IntegerField(min_value=0, required=False, default=0, help_text="an id")
    limit = s.IntegerField(min_value=1, max_value=500, required=False, default=100)


class LineSerialiser(s.Serializer[Any]):
    id = s.IntegerField()
    at = s.DateTimeField()
    level = s.CharField()
    text = s.CharField()


class LogAnswer(s.Serializer[Any]):
    lines = LineSerialiser(many=True)
    next = s.IntegerField(allow_null=True, help_text="`after` for the next page; null at the end")


class DaysQuery(s.Serializer[Any]):
    days = s.IntegerField(min_value=1, max_value=366, required=False, default=90)
    zone = s.CharField(max_length=100, required=False, default="UTC")

    def validate_zone(self, name: str) -> Any:
        try:
            return schedule.zone(name)
        except ConfigError as error:
            raise s.ValidationError("is not a known time zone") from error


class DaySerialiser(s.Serializer[Any]):
    date = s.DateField()
    succeeded = s.IntegerField()
    failed = s.IntegerField(help_text="FAILED and LOST")
    cancelled = s.IntegerField()
    missed = s.IntegerField(help_text="scheduled, and never begun")


class DaysAnswer(s.Serializer[Any]):
    days = DaySerialiser(many=True)


class SeriesQuery(s.Serializer[Any]):
    days = s.IntegerField(min_value=1, max_value=3660, required=False, default=90)


class SeriesAnswer(s.Serializer[Any]):
    at = s.ListField(child=s.FloatField(), help_text="Unix seconds, oldest first")
    seconds = s.ListField(child=s.FloatField())
    size = s.ListField(child=s.IntegerField(allow_null=True))
    sent = s.ListField(child=s.IntegerField(allow_null=True))


class LogView(View):
    needs: ClassVar = {"GET": roles.VIEW}

    @extend_schema(
        operation_id="jobLog",
        parameters=[LogQuery],
        responses={200: LogAnswer, **MALFORMED, **MISSING, **REFUSALS},
    )
    def get(self, request: Request, job_id: UUID) -> Response:
        """What a run said in the log, oldest first, page by page."""
        query = query_of(LogQuery, request)
        lines = get_object_or_404(Job, pk=job_id).lines.filter(pk__gt=query["after"])
        page = list(lines[: query["limit"] + 1])
        shown = page[: query["limit"]]
        following = shown[-1].pk if len(page) > len(shown) else None
        return Response(LogAnswer({"lines": shown, "next": following}).data)


class DaysView(View):
    needs: ClassVar = {"GET": roles.VIEW}
    by_plan = True

    @extend_schema(
        operation_id="days",
        parameters=[DaysQuery],
        responses={200: DaysAnswer, **MALFORMED, **REFUSALS},
    )
    def get(self, request: Request) -> Response:
        """How the backups of each day ended, and how many were missed; the last is today."""
        query = query_of(DaysQuery, request)
        plan, now = self.plan_settings.plan.plan, timezone.now()
        return Response(
            DaysAnswer({"days": past.days(plan, query["zone"], now, query["days"])}).data
        )


class SeriesView(View):
    needs: ClassVar = {"GET": roles.VIEW}
    by_plan = True

    @extend_schema(
        operation_id="series",
        parameters=[SeriesQuery],
        responses={200: SeriesAnswer, **MALFORMED, **REFUSALS},
    )
    def get(self, request: Request) -> Response:
        """Duration and size of the backups that went well; the newest 500 of that time."""
        since = timezone.now() - timedelta(days=query_of(SeriesQuery, request)["days"])
        return Response(SeriesAnswer(past.series(self.plan_settings.plan.plan, since)).data)
