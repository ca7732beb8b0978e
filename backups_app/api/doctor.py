"""The endpoints of the doctor: ask for a visit, read what it found."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers as s
from rest_framework.request import Request
from rest_framework.response import Response

from backups_app import doctoring, roles
from backups_app.api.base import View
from backups_app.api.responses import REFUSALS
from backups_app.models import DoctorReport
from worker.engine.doctor.finding import LEVELS


class FindingSerialiser(s.Serializer[Any]):
    level = s.ChoiceField(choices=LEVELS)
    about = s.CharField()
    text = s.CharField()
    hint = s.CharField(allow_blank=True)


class VisitSerialiser(s.Serializer[Any]):
    """The last visit; all times null before the first."""

    state = s.ChoiceField(choices=["none", "waiting", "running", "done", "lost"])
    askedAt = s.DateTimeField(source="asked_at", allow_null=True)
    askedBy = s.CharField(source="asked_by", allow_blank=True)
    doneAt = s.DateTimeField(source="done_at", allow_null=True)
    ok = s.BooleanField(allow_null=True, help_text="whether nothing is bad")
    findings = FindingSerialiser(many=True)


def _visit(row: DoctorReport | None) -> dict[str, Any]:
    told = (row.report if row else None) or {"ok": None, "findings": []}
    return VisitSerialiser(
        {
            "state": _state(row),
            "asked_at": row.asked_at if row else None,
            "asked_by": row.asked_by if row else "",
            "done_at": row.done_at if row else None,
            **told,
        }
    ).data


def _state(row: DoctorReport | None) -> str:
    if row is None:
        return "none"
    if row.done_at:
        return "done"
    if timezone.now() - row.asked_at > doctoring.LIMIT:
        return "lost"
    return "running" if row.taken_at else "waiting"


class DoctorView(View):
    needs: ClassVar = {"GET": roles.VIEW, "POST": roles.START}
    by_plan = True

    @extend_schema(operation_id="doctor", responses={200: VisitSerialiser, **REFUSALS})
    def get(self, request: Request) -> Response:
        """What the doctor found; the findings of the visit before while one is under way."""
        return Response(
            _visit(DoctorReport.objects.filter(plan=self.plan_settings.plan.plan).first())
        )

    @extend_schema(
        operation_id="askDoctor",
        request=None,
        responses={
            202: OpenApiResponse(VisitSerialiser, "Asked for, or known already"),
            **REFUSALS,
        },
    )
    def post(self, request: Request) -> Response:
        """Ask for a visit; a worker makes it within seconds. One a minute is enough."""
        row = doctoring.ask(self.plan_settings.plan.plan, by=request.user.get_username())
        return Response(_visit(row), status=202)
