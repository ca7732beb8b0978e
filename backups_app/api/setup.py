"""The endpoint about what is set: every setting in effect, and the schedules taken apart."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers as s
from rest_framework.request import Request
from rest_framework.response import Response

from backups_app import roles
from backups_app.api.base import View
from backups_app.api.responses import REFUSALS
from worker.engine import schedule
from worker.engine.schedule_shape import shape
from worker.engine.settings import Settings

NEXT = 5


class SettingSerialiser(s.Serializer[Any]):
    name = s.CharField()
    about = s.CharField()
    value = s.CharField(allow_blank=True, help_text="of a secret only `set`, or empty")
    default = s.CharField(allow_blank=True)
    secret = s.BooleanField()
    origin = s.CharField(source="source", help_text="environment, .env, secret file or default")


class ShapeSerialiser(s.Serializer[Any]):
    every = s.CharField(help_text="minutes, hour, day, week, month or other")
    step = s.IntegerField(help_text="minutes, for `minutes`")
    minute = s.IntegerField(help_text="for `hour`")
    times = s.ListField(child=s.CharField(), help_text="as in 02:00")
    days = s.ListField(child=s.IntegerField(), help_text="of the week (0: Sunday) or the month")


class ScheduleSerialiser(s.Serializer[Any]):
    kind = s.ChoiceField(choices=["backup", "verify", "drill"])
    on = s.BooleanField()
    line = s.CharField(allow_blank=True)
    shape = ShapeSerialiser(allow_null=True)
    next = s.ListField(child=s.DateTimeField(), help_text="the next five")


class SettingsAnswer(s.Serializer[Any]):
    timezone = s.CharField()
    schedules = ScheduleSerialiser(many=True)
    settings = SettingSerialiser(many=True)


class SettingsView(View):
    needs: ClassVar = {"GET": roles.VIEW}
    by_plan = True

    @extend_schema(operation_id="settings", responses={200: SettingsAnswer, **REFUSALS})
    def get(self, request: Request) -> Response:
        """What is set, where that comes from, and what the schedules mean."""
        ours = self.plan_settings
        answer = {
            "timezone": ours.timezone,
            "schedules": _schedules(ours),
            "settings": settings.SETTINGS_IN_EFFECT,
        }
        return Response(SettingsAnswer(answer).data)


def _schedules(ours: Settings) -> list[dict[str, Any]]:
    lines = {
        "backup": ours.schedule,
        "verify": ours.verify_schedule,
        "drill": ours.drill_schedule,
    }
    return [_schedule(ours, kind, line) for kind, line in lines.items()]


def _schedule(ours: Settings, kind: str, line: str) -> dict[str, Any]:
    on = bool(ours.enabled and line)
    now = timezone.now()
    following = schedule.next_runs(line, ours.timezone, now, count=NEXT) if on else []
    return {
        "kind": kind,
        "on": on,
        "line": line,
        "shape": shape(line) if line else None,
        "next": following,
    }
