"""Guards of the way in: passwords that are being judged, and proxies that nobody has named."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import models
from django.db.models import Value
from django.db.models.functions import Now
from django.utils.crypto import salted_hmac

WINDOW: Final = timedelta(minutes=5)
MOST_FOR_NAME, MOST_FOR_ADDRESS = 5, 20


class SignInAttemptQuerySet(models.QuerySet["SignInAttempt"]):
    def begin(self, *, name: str, address: str) -> SignInAttempt | None:
        """Write it down before the password is judged; None: there were too many, judge nothing.

        Each counts what is written when its own is: so of any number that come at once no more
        are judged than may be. What is typed as a name may be a password: its keyed hash is kept.
        """
        self.filter(at__lt=Now() - Value(WINDOW)).delete()
        typed = User.normalize_username(name)[:150]
        name_hash = salted_hmac("tarkeep.sign-in", typed, algorithm="sha256").hexdigest()
        attempt = self.create(name_hash=name_hash, address=address[:50])
        there = self.filter(address=attempt.address, at__gt=Now() - Value(WINDOW))
        of_name = there.filter(name_hash=name_hash)
        if there.count() <= MOST_FOR_ADDRESS and of_name.count() <= MOST_FOR_NAME:
            return attempt
        attempt.delete()
        return None


class SignInAttempt(models.Model):
    """A password that was wrong, or is being judged. Removed when it was right."""

    name_hash = models.CharField(max_length=64)
    address = models.CharField(max_length=50)
    at = models.DateTimeField(db_default=Now())

    objects = SignInAttemptQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        indexes = (models.Index(fields=["address", "at"], name="sign_in_address"),)

    def __str__(self) -> str:
        return f"from {self.address}"


class UnnamedProxyQuerySet(models.QuerySet["UnnamedProxy"]):
    def note(self, address: str) -> None:
        """Somebody came through it just now; forget those not seen for a day."""
        self.filter(seen_at__lt=Now() - Value(timedelta(days=1))).delete()
        self.update_or_create(
            address=address, defaults={"seen_at": Now()},
            create_defaults={"since": Now(), "seen_at": Now()},
        )  # fmt: skip


class UnnamedProxy(models.Model):
    """A near address that speaks for others, and is not in TARKEEP_TRUSTED_PROXIES."""

    address = models.CharField(max_length=50, unique=True)
    since = models.DateTimeField()
    seen_at = models.DateTimeField()

    objects = UnnamedProxyQuerySet.as_manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.address
