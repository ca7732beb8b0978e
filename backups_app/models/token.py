"""API tokens: what the database keeps of a secret that is shown once.

The secret has 256 random bits, so its SHA-256 tells nothing about it and needs no salt; the
prefix finds the row, and lets people tell tokens apart.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now

PREFIX_CHARS: Final = 8
SECRET_BYTES: Final = 32
TEXT: Final = re.compile(r"[0-9a-f]{8}_[A-Za-z0-9_-]{43}")  # behind tk_
SEEN_EVERY: Final = timedelta(minutes=1)


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def live(self) -> ApiTokenQuerySet:
        """Neither revoked nor expired, and not of an account that was closed."""
        in_time = Q(expires_at=None) | Q(expires_at__gt=Now())
        held = Q(owner=None) | Q(owner__is_active=True)
        return self.filter(in_time, held, revoked_at=None)

    def of(self, text: str) -> ApiToken | None:
        """The live token with that text, or None."""
        kind, _, rest = text.partition("_")
        prefix = rest[:PREFIX_CHARS]
        if kind != "tk" or not TEXT.fullmatch(rest):
            return None
        found = self.live().select_related("owner").filter(prefix=prefix).first()
        right = found is not None and hmac.compare_digest(found.digest, digest_of(text))
        return found if right else None

    def revoke(self) -> int:
        """Take them back for good, and what was made with them. How many were not yet."""
        taken, wave = 0, list(self.values_list("pk", flat=True))
        while wave:
            taken += ApiToken.objects.filter(pk__in=wave, revoked_at=None).update(revoked_at=Now())
            made = ApiToken.objects.filter(parent__in=wave)
            wave = list(made.values_list("pk", flat=True))
        return taken


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class ApiToken(models.Model):
    """`permissions` are names as in `roles`; an `owner` who loses one takes it from the token.

    `parent` is the token that made it, and takes it along when it is revoked.
    """

    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=PREFIX_CHARS, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    role = models.CharField(max_length=20, blank=True)
    permissions = models.JSONField(default=list)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True)
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_from = models.GenericIPAddressField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        default_permissions = ("view",)
        verbose_name = "API token"

    def __str__(self) -> str:
        return f"{self.name} (tk_{self.prefix})"

    @classmethod
    def make(cls, **fields: Any) -> tuple[ApiToken, str]:
        """A new token and its text, which nobody can find out again."""
        prefix = secrets.token_hex(PREFIX_CHARS // 2)
        text = f"tk_{prefix}_{secrets.token_urlsafe(SECRET_BYTES)}"
        return cls.objects.create(prefix=prefix, digest=digest_of(text), **fields), text

    def may(self, permission: str) -> bool:
        return permission in self.permissions and (
            self.owner is None or self.owner.has_perm(permission)
        )

    def seen(self, address: str) -> None:
        """Note its use, and from where if that is known; at most once a minute: it is a write."""
        old = Q(last_used_at=None) | Q(last_used_at__lt=Now() - Value(SEEN_EVERY))
        mine = ApiToken.objects.filter(old, pk=self.pk)
        mine.update(last_used_at=Now(), last_used_from=address or None)
