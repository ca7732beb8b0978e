"""`Authorization: Bearer BACKUP_API_TOKEN`: one fixed token with all rights, for scripts."""

from __future__ import annotations

import hmac
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request


class TokenHolder(AnonymousUser):
    """Whoever knows the token. No row in the database stands behind it."""

    @property
    def is_authenticated(self) -> Any:
        return True

    @property
    def is_anonymous(self) -> Any:
        return False

    def get_username(self) -> str:
        return "API token"

    def __str__(self) -> str:
        return self.get_username()


def token_is_right(given: str) -> bool:
    """Compared in constant time; never right when no token is configured."""
    expected: str = settings.TARKEEP.api_token
    return bool(expected) and hmac.compare_digest(given.encode(), expected.encode())


class BearerToken(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[TokenHolder, None] | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        if not token_is_right(token.strip()):
            raise AuthenticationFailed("The bearer token is wrong.")
        return TokenHolder(), None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Tarkeep"'


class BearerTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = BearerToken
    name = "bearerToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}
