"""The endpoint that sends a test message."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers as s
from rest_framework.request import Request
from rest_framework.response import Response

from backups_app import roles
from backups_app.api.base import View
from backups_app.api.responses import REFUSALS
from backups_app.api.serialisers import ErrorSerialiser
from worker.engine.notify.trial import send_trial


class DeliverySerialiser(s.Serializer[Any]):
    address = s.CharField(source="name", help_text="number and kind; addresses hold secrets")
    taken = s.BooleanField()
    reason = s.CharField(allow_blank=True, help_text="why it was not taken")


class DeliveriesSerialiser(s.Serializer[Any]):
    deliveries = DeliverySerialiser(many=True)


class NotifyTestView(View):
    needs: ClassVar = {"POST": roles.START}

    @extend_schema(
        operation_id="notifyTest",
        request=None,
        responses={
            200: DeliveriesSerialiser,
            409: OpenApiResponse(ErrorSerialiser, "BACKUP_NOTIFY_URLS is not set"),
            **REFUSALS,
        },
    )
    def post(self, request: Request) -> Response:
        """Send a message to each address at once, and say what came of it; takes up to 40 s."""
        deliveries = send_trial(settings.TARKEEP.notify)
        return Response(DeliveriesSerialiser({"deliveries": deliveries}).data)
