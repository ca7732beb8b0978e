"""The endpoints for plans: which there are, a new one, one changed or removed."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from backups_app import hosts, plans, roles
from backups_app.api.base import View
from backups_app.api.plan_serialisers import PlanBody, PlanListSerialiser, PlanSerialiser
from backups_app.api.responses import FINDING, REFUSALS
from backups_app.api.serialisers import ErrorSerialiser
from backups_app.models import Plan
from worker.engine.settings import Settings

KNOWN: Final[dict[int, Any]] = {
    404: OpenApiResponse(ErrorSerialiser, "There is no such plan"),
    **REFUSALS,
}
CHANGING: Final[dict[int, Any]] = {
    400: FINDING[400],
    409: OpenApiResponse(ErrorSerialiser, "It has a job at work, or is the environment's"),
    **KNOWN,
}


class PlansView(View):
    needs: ClassVar = {"GET": roles.VIEW, "POST": roles.PLANS}
    recent_login = True

    @extend_schema(operation_id="plans", responses={200: PlanListSerialiser, **REFUSALS})
    def get(self, request: Request) -> Response:
        """All plans, the environment's first."""
        found = {"plans": list(plans.all_settings()), "hosts": sorted(hosts.living())}
        return Response(PlanListSerialiser(found, context=_context()).data)

    @extend_schema(
        operation_id="makePlan",
        request=PlanBody,
        responses={201: PlanSerialiser, 400: FINDING[400], **REFUSALS},
    )
    def post(self, request: Request) -> Response:
        """Make a plan. What is left out has its default; `name` and `dataDir` have none."""
        row = PlanBody(data=request.data).laid_over(Plan())
        self.tell(target=row.name)
        return Response(_json(plans.settings_of(row.name)), status=201)


class PlanView(View):
    needs: ClassVar = {"GET": roles.VIEW, "PATCH": roles.PLANS, "DELETE": roles.PLANS}
    recent_login = True

    @extend_schema(operation_id="plan", responses={200: PlanSerialiser, **KNOWN})
    def get(self, request: Request, name: str) -> Response:
        """One plan."""
        return Response(_json(plans.settings_of(name)))

    @extend_schema(
        operation_id="changePlan", request=PlanBody, responses={200: PlanSerialiser, **CHANGING}
    )
    def patch(self, request: Request, name: str) -> Response:
        """Change what is given, and nothing else. A running job goes on as it began."""
        PlanBody(data=request.data).laid_over(plans.row_of(name))
        return Response(_json(plans.settings_of(name)))

    @extend_schema(operation_id="removePlan", responses={200: PlanSerialiser, **CHANGING})
    def delete(self, request: Request, name: str) -> Response:
        """Forget the plan. Its backups stay in the bucket, and its jobs in the history."""
        row = plans.row_of(name)
        was = _json(plans.settings_of(name))
        plans.remove(row)
        return Response(was)


def _json(settings: Settings) -> dict[str, Any]:
    return dict(PlanSerialiser(settings, context=_context()).data)


def _context() -> dict[str, Any]:
    return {"drivers": dict(Plan.objects.values_list("name", "instance_driver"))}
