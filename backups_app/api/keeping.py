"""The endpoints about what is kept: retention's preview, pins, the confirmation."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from backups_app import keeping, roles, services
from backups_app.api import backup_serialisers as b
from backups_app.api.base import View
from backups_app.api.permissions import demand, demand_recent_login, demand_typed_name
from backups_app.api.requests import body_of
from backups_app.api.responses import FINDING, REFUSALS
from backups_app.api.serialisers import ErrorSerialiser

LOOKING: Final[dict[int, Any]] = {502: FINDING[502], 503: FINDING[503], **REFUSALS}
CHANGING: Final[dict[int, Any]] = {400: FINDING[400], 404: FINDING[404], **LOOKING}


class RetentionView(View):
    needs: ClassVar = {"GET": roles.VIEW}
    by_plan = True

    @extend_schema(operation_id="retention", responses={200: b.RetentionSerialiser, **LOOKING})
    def get(self, request: Request) -> Response:
        """For each backup whether it stays, and why."""
        return Response(b.RetentionSerialiser(keeping.preview(self.plan_settings)).data)


class ConfirmView(View):
    needs: ClassVar = {"POST": roles.DELETE}
    by_plan = True
    recent_login = True

    @extend_schema(
        operation_id="retentionConfirm",
        request=None,
        responses={
            200: b.BackupKeySerialiser,
            409: OpenApiResponse(ErrorSerialiser, "The newest backup has not shrunk"),
            **LOOKING,
        },
    )
    def post(self, request: Request) -> Response:
        """Say that the newest backup is right, though it holds so much less data."""
        by = request.user.get_username()
        key = keeping.confirm(self.plan_settings, at=timezone.now(), by=by)
        self.tell(target=key)
        return Response({"backupKey": key})


class DeleteView(View):
    needs: ClassVar = {"POST": roles.DELETE}
    by_plan = True
    recent_login = True

    @extend_schema(
        operation_id="delete",
        request=b.DeleteBody,
        responses={
            200: b.BackupKeySerialiser,
            409: OpenApiResponse(ErrorSerialiser, "It is the newest, pinned, or a job is active"),
            **CHANGING,
        },
    )
    def post(self, request: Request) -> Response:
        """Delete one backup for good."""
        body = body_of(b.DeleteBody, request)
        demand_typed_name(request, body["backupKey"], body["confirm"])
        return Response({"backupKey": services.delete_backup(body["backupKey"], self.plan)})


class PinView(View):
    needs: ClassVar = {"POST": roles.KEEP}
    by_plan = True

    @extend_schema(
        operation_id="pin", request=b.PinSerialiser, responses={200: b.PinSerialiser, **CHANGING}
    )
    def post(self, request: Request) -> Response:
        """Keep a backup whatever retention says, or leave it to retention again."""
        asked = b.PinSerialiser(data=request.data)
        asked.is_valid(raise_exception=True)
        key, pinned = asked.validated_data["backupKey"], asked.validated_data["pinned"]
        self.tell(pinned=pinned)
        if not pinned:
            demand(request, roles.DELETE)
            demand_recent_login(request)
        by = request.user.get_username()
        key = keeping.set_pin(self.plan_settings, key, pinned=pinned, at=timezone.now(), by=by)
        return Response({"backupKey": key, "pinned": pinned})
