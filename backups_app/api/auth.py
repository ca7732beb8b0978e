"""`Authorization: Bearer …`: the fixed BACKUP_API_TOKEN, or a token that an administrator made."""

from __future__ import annotations

import hmac
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from backups_app.audit import address_of
from backups_app.models import ApiToken


class TokenHolder(AnonymousUser):
    """Whoever knows a token. Without a row (BACKUP_API_TOKEN) it may do everything."""

    def __init__(self, token: ApiToken | None = None) -> None:
        super().__init__()
        self.token = token

    @property
    def is_authenticated(self) -> Any:
        return True

    @property
    def is_anonymous(self) -> Any:
        return False

    def get_username(self) -> str:
        return str(self.token) if self.token else "API token"

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return self.token.may(perm) if self.token else True

    def __str__(self) -> str:
        return self.get_username()


def holder_of(given: str, address: str) -> TokenHolder | None:
    """Who holds that token, used from that address; None: it is wrong, revoked or expired."""
    if _is_fixed_one(given):
        return TokenHolder()
    token = ApiToken.objects.of(given)
    if token is None:
        return None
    token.seen(address)
    return TokenHolder(token)


def _is_fixed_one(given: str) -> bool:
    """Compared in constant time; never right when no token is configured."""
    expected: str = settings.TARKEEP.api_token
    return bool(expected) and hmac.compare_digest(given.encode(), expected.encode())


def bearer(header: str) -> str | None:
    """The token in an Authorization header; None for other schemes, and for none."""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


class BearerToken(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[TokenHolder, None] | None:
        token = bearer(request.headers.get("Authorization", ""))
        if token is None:
            return None
        holder = holder_of(token, address_of(request._request))
        if holder is None:
            raise AuthenticationFailed("The bearer token is wrong, revoked or expired.")
        return holder, None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Tarkeep"'


class BearerTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = BearerToken
    name = "bearerToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}
