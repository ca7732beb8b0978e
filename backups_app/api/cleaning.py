"""The endpoints about what takes room: prune, tidy, and what a backup would take."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers as s
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from backups_app import cleaning, roles
from backups_app.api.auth import TokenHolder
from backups_app.api.backup_serialisers import RetentionSerialiser
from backups_app.api.base import View
from backups_app.api.requests import body_of
from backups_app.api.responses import FINDING, REFUSALS
from backups_app.api.serialisers import ErrorSerialiser

WORD = "prune"
CLEANING: dict[int, Any] = {
    409: OpenApiResponse(ErrorSerialiser, "A job is active"),
    502: FINDING[502],
    503: FINDING[503],
    **REFUSALS,
}


class PruneBody(s.Serializer[Any]):
    confirm = s.CharField(
        max_length=100, required=False, default="", allow_blank=True,
        help_text=f"the word {WORD}; from a browser's session only",
    )  # fmt: skip


class PrunedSerialiser(RetentionSerialiser):
    deleted = s.ListField(child=s.CharField(), help_text="keys, oldest first")


class TidyBody(s.Serializer[Any]):
    dryRun = s.BooleanField(required=False, default=False)


class TidiedSerialiser(s.Serializer[Any]):
    dryRun = s.BooleanField()
    deleted = s.ListField(child=s.CharField(), help_text="what runs that died have left")
    aborted = s.ListField(child=s.CharField(), help_text="keys of uploads that were broken off")
    left = s.ListField(child=s.CharField(), help_text="odd, but not of our making")


class DryRunSerialiser(s.Serializer[Any]):
    files = s.IntegerField()
    folders = s.IntegerField()
    bytes = s.IntegerField()
    excluded = s.IntegerField(help_text="left out by BACKUP_EXCLUDE; a folder counts as one")


class PruneView(View):
    needs: ClassVar = {"POST": roles.DELETE}
    by_plan = True
    recent_login = True

    @extend_schema(
        operation_id="prune", request=PruneBody, responses={200: PrunedSerialiser, **CLEANING}
    )
    def post(self, request: Request) -> Response:
        """Delete now what retention does not keep. GET retention says what that would be."""
        given = body_of(PruneBody, request)
        if not isinstance(request.user, TokenHolder) and given["confirm"] != WORD:
            raise ValidationError({"confirm": [f"is not the word {WORD}"]})
        judgement, deleted = cleaning.prune(self.plan)
        self.tell(deleted=deleted)
        shown = RetentionSerialiser(judgement).data
        return Response({**shown, "deleted": deleted})


class TidyView(View):
    needs: ClassVar = {"POST": roles.START}
    by_plan = True

    @extend_schema(
        operation_id="tidy", request=TidyBody, responses={200: TidiedSerialiser, **CLEANING}
    )
    def post(self, request: Request) -> Response:
        """Clear away what runs that died have left in the bucket; or only say what."""
        dry_run = body_of(TidyBody, request)["dryRun"]
        done = cleaning.tidy(self.plan, dry_run=dry_run)
        self.tell(dryRun=dry_run, deleted=len(done.deleted), aborted=len(done.aborted))
        return Response({"dryRun": dry_run, **vars(done)})


class DryRunView(View):
    needs: ClassVar = {"GET": roles.VIEW}
    by_plan = True

    @extend_schema(
        operation_id="dryRun",
        responses={
            200: DryRunSerialiser,
            500: OpenApiResponse(ErrorSerialiser, "The data folder is missing or cannot be read"),
            503: OpenApiResponse(ErrorSerialiser, "Settings are wrong, or it takes too long"),
            **REFUSALS,
        },
    )
    def get(self, request: Request) -> Response:
        """What a backup would save now. Reads names and sizes of the data folder alone."""
        found = cleaning.count(self.plan)
        totals = found.totals
        return Response(
            {
                "files": totals.files,
                "folders": totals.folders,
                "bytes": totals.bytes,
                "excluded": found.excluded,
            }
        )
