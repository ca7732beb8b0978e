"""The JSON of accounts, tokens and the audit log."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers as s

from backups_app import roles
from backups_app.models import ApiToken

PERMISSIONS = tuple(name.partition(".")[2] for name in roles.ABOUT)


class MeSerialiser(s.Serializer[Any]):
    name = s.CharField()
    byToken = s.BooleanField()
    permissions = s.ListField(child=s.ChoiceField(choices=PERMISSIONS))


class TokenSerialiser(s.Serializer[ApiToken]):
    id = s.CharField(source="prefix", help_text="the text begins with tk_ and this")
    name = s.CharField()
    role = s.CharField(allow_blank=True)
    permissions = s.SerializerMethodField()
    owner = s.SerializerMethodField()
    createdAt = s.DateTimeField(source="created_at")
    expiresAt = s.DateTimeField(source="expires_at", allow_null=True)
    lastUsedAt = s.DateTimeField(source="last_used_at", allow_null=True)
    lastUsedFrom = s.CharField(source="last_used_from", allow_null=True)
    revokedAt = s.DateTimeField(source="revoked_at", allow_null=True)

    def get_permissions(self, token: ApiToken) -> list[str]:
        return [name.partition(".")[2] for name in token.permissions]

    def get_owner(self, token: ApiToken) -> str | None:
        return token.owner.get_username() if token.owner else None


class NewTokenSerialiser(TokenSerialiser):
    token = s.CharField(help_text="shown this once")


class TokenListSerialiser(s.Serializer[Any]):
    tokens = TokenSerialiser(many=True)


class TokenBody(s.Serializer[Any]):
    name = s.CharField(max_length=100)
    role = s.ChoiceField(choices=roles.NAMES, required=False, default="")
    permissions = s.ListField(
        child=s.ChoiceField(choices=PERMISSIONS), required=False, default=list, max_length=20
    )
    days = s.IntegerField(
        min_value=1, max_value=3650, required=False, default=90, allow_null=True,
        help_text="null: never expires",
    )  # fmt: skip


class AuditQuery(s.Serializer[Any]):
    before = s.IntegerField(
        min_value=1, max_value=2**62, required=False, default=None, allow_null=True,
        help_text="only entries with a smaller number",
    )  # fmt: skip
    action = s.CharField(max_length=50, required=False, default="", allow_blank=True)
    limit = s.IntegerField(min_value=1, max_value=1000, required=False, default=100)


class AuditEntrySerialiser(s.Serializer[Any]):
    number = s.IntegerField()
    at = s.DateTimeField()
    actor = s.CharField()
    how = s.CharField(help_text="session, token, login, command line or nobody")
    address = s.CharField(allow_blank=True)
    action = s.CharField()
    target = s.CharField(allow_blank=True)
    outcome = s.CharField(help_text="done, or the code of the error")
    details = s.DictField()
    previous = s.CharField(help_text="hash of the entry before")
    hash = s.CharField()


class AuditAnswer(s.Serializer[Any]):
    entries = AuditEntrySerialiser(many=True)
