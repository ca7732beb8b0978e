"""The endpoints about who may what: oneself, tokens, the audit log."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from backups_app import roles
from backups_app.api import account_serialisers as s
from backups_app.api.auth import TokenHolder
from backups_app.api.base import View
from backups_app.api.permissions import ANYBODY_KNOWN
from backups_app.api.requests import body_of, query_of
from backups_app.api.responses import REFUSALS
from backups_app.api.serialisers import ErrorSerialiser
from backups_app.models import ApiToken, AuditEntry
from backups_app.tokens import make_token, rights_of

ODD: Final[dict[int, Any]] = {
    400: OpenApiResponse(ErrorSerialiser, "The request is malformed"),
    **REFUSALS,
}


class MeView(View):
    needs: ClassVar = {"GET": ANYBODY_KNOWN}

    @extend_schema(operation_id="me", responses={200: s.MeSerialiser, **REFUSALS})
    def get(self, request: Request) -> Response:
        """Who asks, and what they may do."""
        may = [name.partition(".")[2] for name in roles.ABOUT if request.user.has_perm(name)]
        by_token = isinstance(request.user, TokenHolder)
        return Response(
            {"name": request.user.get_username(), "byToken": by_token, "permissions": may}
        )


class TokensView(View):
    needs: ClassVar = {"GET": roles.TOKENS, "POST": roles.TOKENS}
    recent_login = True
    idempotent = False  # the answer holds a secret, which is not to be kept

    @extend_schema(operation_id="tokens", responses={200: s.TokenListSerialiser, **REFUSALS})
    def get(self, request: Request) -> Response:
        """All API tokens, newest first; never their secrets."""
        return Response(s.TokenListSerialiser({"tokens": ApiToken.objects.all()}).data)

    @extend_schema(
        operation_id="makeToken",
        request=s.TokenBody,
        responses={201: s.NewTokenSerialiser, **ODD},
    )
    def post(self, request: Request) -> Response:
        """Make a token. The answer holds its text, which is not kept and never shown again."""
        body = body_of(s.TokenBody, request)
        self.tell(role=body["role"], permissions=body["permissions"], days=body["days"])
        token, text = make_token(**body, **_maker(request))
        self.tell(target=str(token), **rights_of(token))
        return Response({**s.TokenSerialiser(token).data, "token": text}, status=201)


class RevokeView(View):
    needs: ClassVar = {"POST": roles.TOKENS}

    @extend_schema(
        operation_id="revokeToken",
        request=None,
        responses={
            200: s.TokenSerialiser,
            404: OpenApiResponse(ErrorSerialiser, "There is no such token"),
            **REFUSALS,
        },
    )
    def post(self, request: Request, token_id: str) -> Response:
        """Take a token back, for good. Safe to repeat."""
        token = get_object_or_404(ApiToken, prefix=token_id)
        taken = ApiToken.objects.filter(pk=token.pk).revoke()
        self.tell(target=str(token), revoked=taken)
        token.refresh_from_db()
        return Response(s.TokenSerialiser(token).data)


class AuditView(View):
    needs: ClassVar = {"GET": roles.AUDIT}

    @extend_schema(
        operation_id="audit", parameters=[s.AuditQuery], responses={200: s.AuditAnswer, **ODD}
    )
    def get(self, request: Request) -> Response:
        """The audit log, newest first."""
        query = query_of(s.AuditQuery, request)
        entries = AuditEntry.objects.all()
        if query["before"]:
            entries = entries.filter(number__lt=query["before"])
        if query["action"]:
            entries = entries.filter(action=query["action"])
        shown = [entry.as_json() | {"hash": entry.hash} for entry in entries[: query["limit"]]]
        return Response({"entries": shown})


def _maker(request: Request) -> dict[str, Any]:
    """A token's tokens are its owner's: when that account goes, so do they."""
    user = request.user
    if not isinstance(user, TokenHolder):
        return {"owner": user}
    return {"owner": user.token and user.token.owner, "parent": user.token}
