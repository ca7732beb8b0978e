"""The endpoints for a look at the whole: the state of the service, and what lies in the bucket.

Each looks up, checks, calls a service, serialises.
"""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from backups_app import proofs, roles, services
from backups_app.api.backup_serialisers import BackupListSerialiser
from backups_app.api.base import View
from backups_app.api.responses import REFUSALS, STARTING
from backups_app.api.serialisers import ErrorSerialiser
from backups_app.api.status_serialisers import StatusSerialiser
from backups_app.status import status


class StatusView(View):
    needs: ClassVar = {"GET": roles.VIEW}
    by_plan = True

    @extend_schema(operation_id="status", responses={200: StatusSerialiser, **REFUSALS})
    def get(self, request: Request) -> Response:
        """The state of the service at a glance."""
        return Response(StatusSerialiser(status(self.plan_settings)).data)


class BackupsView(View):
    needs: ClassVar = {"GET": roles.VIEW}
    by_plan = True
    tagged = True

    @extend_schema(
        operation_id="list",
        responses={
            200: BackupListSerialiser,
            502: OpenApiResponse(ErrorSerialiser, "The storage answered with an error"),
            503: STARTING[503],
            **REFUSALS,
        },
    )
    def get(self, request: Request) -> Response:
        """All backups in the bucket, newest first."""
        found = {"backups": services.list_backups(self.plan)}
        known = {"records": proofs.records(self.plan), "plan": self.plan_settings.plan}
        return Response(BackupListSerialiser(found, context=known).data)
