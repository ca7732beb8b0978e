"""The JSON of backups, of what is known about them, and of what is kept."""

from __future__ import annotations

import json
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

from rest_framework import serializers as s

from backups_app.api.serialisers import ErrorSerialiser
from backups_app.proofs import Record
from worker.engine.archive.plain import warnings_of
from worker.engine.metadata import dump


class ProofSerialiser(s.Serializer[Any]):
    """A reading of all of a backup that went well."""

    backupKey = s.CharField(source="backup_key")
    at = s.DateTimeField()
    seconds = s.FloatField(help_text="how long it took")
    bytes = s.IntegerField()
    files = s.IntegerField()


class DamageSerialiser(ErrorSerialiser):
    at = s.DateTimeField(help_text="when it was found")


class BackupSerialiser(s.Serializer[Any]):
    """`metadata` is null for an archive that was put into the bucket by hand.

    `verified` and `proven` are null until a verification or a drill went well, `damaged` is null
    unless one found damage.
    """

    key = s.CharField()
    lastModified = s.DateTimeField(source="modified")
    size = s.IntegerField(help_text="bytes")
    pinned = s.BooleanField()
    metadata = s.SerializerMethodField()
    warnings = s.SerializerMethodField()
    verified = ProofSerialiser(allow_null=True)
    proven = ProofSerialiser(allow_null=True)
    damaged = DamageSerialiser(allow_null=True)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        record = self.context["records"].get(instance.key, Record())
        known = {field.name: getattr(record, field.name) for field in fields(record)}
        return super().to_representation(SimpleNamespace(**{**vars(instance), **known}))

    def get_metadata(self, backup: Any) -> dict[str, Any] | None:
        return json.loads(dump(backup.metadata)) if backup.metadata else None

    def get_warnings(self, backup: Any) -> list[dict[str, str]]:
        found = warnings_of(self.context["plan"], backup)
        return [warning.as_dict() for warning in found]


class PinSerialiser(s.Serializer[Any]):
    backupKey = s.CharField(max_length=1024, trim_whitespace=False)
    pinned = s.BooleanField(required=False, default=True)


class VerdictSerialiser(s.Serializer[Any]):
    key = s.CharField(source="backup.key")
    keep = s.BooleanField()
    pinned = s.BooleanField(source="backup.pinned")
    reason = s.CharField(help_text="a clause in words")
    codes = s.ListField(child=s.CharField(), help_text="of each reason in it")


class RetentionSerialiser(s.Serializer[Any]):
    """Newest first. `halted`: why nothing at all goes, or empty."""

    backups = VerdictSerialiser(source="verdicts", many=True)
    halted = s.CharField(allow_blank=True)


class BackupListSerialiser(s.Serializer[Any]):
    backups = BackupSerialiser(many=True)


class BackupKeySerialiser(s.Serializer[Any]):
    backupKey = s.CharField(max_length=1024, trim_whitespace=False)


class DeleteBody(BackupKeySerialiser):
    confirm = s.CharField(
        max_length=1024, required=False, default="", allow_blank=True,
        help_text="the backup's name once more; from a browser's session only",
    )  # fmt: skip
