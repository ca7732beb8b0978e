"""Every failed request answers `{code, message, hint}` with the right status."""

from __future__ import annotations

import logging
from math import ceil
from typing import Any, Final

from django.core.exceptions import DisallowedHost, PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions as drf
from rest_framework.response import Response
from rest_framework.views import set_rollback

from backups_app.api.parsers import TooLarge
from backups_app.api.serialisers import job_json
from backups_app.services import JobActive, TooLateToCancel
from worker.engine.errors import ConfigError, EngineError

log = logging.getLogger(__name__)

STATUS_OF_CODE: Final = {
    "KEY_MALFORMED": 400,
    "BACKUP_NOT_FOUND": 404,
    "PLAN_NOT_FOUND": 404,
    "PLAN_OF_ENVIRONMENT": 409,
    "PLAN_BUSY": 409,
    "OTHER_HOST": 409,
    "NOTHING_TO_CONFIRM": 409,
    "BACKUP_KEPT": 409,
    "NO_SAFETY_COPY": 404,
    "TOKEN_REFUSED": 400,
    "STORAGE_KEY_MISSING": 404,
    "STORAGE_UNREACHABLE": 503,
    "DRY_RUN_TOO_LONG": 503,
    "PATH_NOT_FOUND": 404,
    "PATTERN_INVALID": 400,
    "RESTORE_DIR_UNSET": 400,
    "NOT_A_FILE": 409,
    "NOTIFY_UNSET": 409,
    "INDEX_MISSING": 409,
    "INDEX_DAMAGED": 502,
    "INDEX_FOREIGN": 502,
    "ENCRYPTION_KEY_WRONG": 409,
    "ENCRYPTION_KEY_MISSING": 409,
}
HINTS: Final = {
    400: "docs/api.md shows what each request takes.",
    401: "Log in, or send Authorization: Bearer with BACKUP_API_TOKEN or a token of yours.",
    403: "Reload the page; if that does not help, log in again.",
    404: "docs/api.md lists all addresses; GET /api/backup/jobs lists the jobs.",
    406: "Ask for application/json.",
    405: "docs/api.md shows which method each address takes.",
    429: "Wait as many seconds as Retry-After says, or raise TARKEEP_API_RATE.",
    415: "Send JSON, with Content-Type: application/json.",
}


def answer(error: Exception, _: dict[str, Any]) -> Response | None:
    """The answer to an error that a view raised; None lets Django make it a 500."""
    set_rollback()
    if isinstance(error, JobActive):
        return Response({**error.as_dict(), "job": job_json(error.job)}, status=409)
    if isinstance(error, EngineError):
        return Response(error.as_dict(), status=engine_status(error))
    if isinstance(error, RequestDataTooBig):
        error = TooLarge()
    if isinstance(error, Http404):
        error = drf.NotFound()
    if isinstance(error, PermissionDenied):
        error = drf.PermissionDenied()
    return _of_framework(error) if isinstance(error, drf.APIException) else None


def engine_status(error: EngineError) -> int:
    """The HTTP status for an error of the engine's tree."""
    if isinstance(error, TooLateToCancel):
        return 409
    if isinstance(error, ConfigError):
        return STATUS_OF_CODE.get(error.code, 503)
    return status_of_failure(error.code)


def status_of_failure(code: str) -> int:
    """The HTTP status that tells of a failure with that code."""
    return STATUS_OF_CODE.get(code, 502 if code.startswith("STORAGE_") else 500)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 400 page; JSON for addresses of the API. Nothing of the request is repeated."""
    from django.views.defaults import bad_request as page

    if not request.path.startswith("/api/"):
        return page(request, exception)
    code, message, hint = "INVALID_REQUEST", "The request is malformed.", HINTS[400]
    if isinstance(exception, DisallowedHost):
        code, message = "HOST_UNKNOWN", "This server does not answer to that host name."
        hint = "Add the name to TARKEEP_ALLOWED_HOSTS."
    return JsonResponse({"code": code, "message": message, "hint": hint}, status=400)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 404 page; JSON for addresses of the API."""
    from django.views.defaults import page_not_found

    if not request.path.startswith("/api/"):
        return page_not_found(request, exception)
    body = {"code": "NOT_FOUND", "message": "There is nothing here.", "hint": HINTS[404]}
    return JsonResponse(body, status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's 500 page; JSON for addresses of the API. The log has the traceback."""
    from django.views.defaults import server_error as page

    if not request.path.startswith("/api/"):
        return page(request)
    hint = "The log, logs/app.log, says more."
    body = {"code": "INTERNAL_ERROR", "message": "Something went wrong here.", "hint": hint}
    return JsonResponse(body, status=500)


def _of_framework(error: drf.APIException) -> Response:
    code, message = _described(error)
    headers = {}
    if header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = header
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(ceil(wait))
    hint = getattr(error, "hint", "") or HINTS.get(error.status_code, "")
    body = {"code": code, "message": message, "hint": hint}
    return Response(body, status=error.status_code, headers=headers)


def _described(error: drf.APIException) -> tuple[str, str]:
    if isinstance(error, drf.ValidationError):
        return _described_fields(error.detail)
    codes = error.get_codes()
    return str(codes).upper(), str(error.detail)


def _described_fields(detail: Any) -> tuple[str, str]:
    """The first complaint of each field, in one sentence each."""
    if not isinstance(detail, dict):
        return "INVALID_REQUEST", str(detail[0])
    lines = [f"{field}: {_first(complaints)}" for field, complaints in detail.items()]
    code = "KEY_MALFORMED" if "backupKey" in detail else "INVALID_REQUEST"
    return code, " ".join(lines)


def _first(complaints: Any) -> Any:
    """Those of a list's items come by the items' numbers."""
    while isinstance(complaints, dict | list):
        complaints = next(iter(complaints.values() if isinstance(complaints, dict) else complaints))
    return complaints
