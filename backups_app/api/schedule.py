"""The endpoints that pause the schedule and resume it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers as s
from rest_framework.request import Request
from rest_framework.response import Response

from backups_app import pauses, roles
from backups_app.api.base import View
from backups_app.api.requests import body_of
from backups_app.api.responses import FINDING, REFUSALS


class PauseSerialiser(s.Serializer[Any]):
    """The schedule's pause. `until` null: until it is resumed."""

    since = s.DateTimeField()
    until = s.DateTimeField(allow_null=True)
    by = s.CharField(allow_blank=True)


class PausedSerialiser(s.Serializer[Any]):
    paused = PauseSerialiser(allow_null=True)


class PauseBody(s.Serializer[Any]):
    until = s.DateTimeField(required=False, allow_null=True, default=None)

    def validate_until(self, until: datetime | None) -> datetime | None:
        if until and until <= timezone.now():
            raise s.ValidationError("is over already")
        return until


class PauseView(View):
    needs: ClassVar = {"POST": roles.START}
    by_plan = True

    @extend_schema(
        operation_id="pauseSchedule",
        request=PauseBody,
        responses={200: PausedSerialiser, 400: FINDING[400], **REFUSALS},
    )
    def post(self, request: Request) -> Response:
        """Pause the schedule: what comes due meanwhile is neither made nor counted as missed."""
        until = body_of(PauseBody, request)["until"]
        plan = self.plan_settings.plan.plan
        pause = pauses.begin(plan, by=request.user.get_username(), until=until)
        return Response(PausedSerialiser({"paused": pause}).data)


class ResumeView(View):
    needs: ClassVar = {"POST": roles.START}
    by_plan = True

    @extend_schema(
        operation_id="resumeSchedule", request=None, responses={200: PausedSerialiser, **REFUSALS}
    )
    def post(self, request: Request) -> Response:
        """Resume the schedule; content where it was not paused."""
        pauses.end(self.plan_settings.plan.plan)
        return Response({"paused": None})
