"""`/api/schema/`: the API described for programs, as OpenAPI 3.1, whole and with examples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final

from drf_spectacular.views import SpectacularJSONAPIView

from backups_app import roles
from backups_app.api.base import View
from backups_app.api.examples import example_of

JSON: Final = "application/json"
ERROR: Final = {"$ref": "#/components/schemas/ErrorSerialiser"}
# What any request can be answered, and what those with a body can.
ALWAYS: Final = {
    "400": "A parameter is malformed, or is none of this request",
    "406": "Accept wants something else than JSON, or another version",
    "429": "Too many requests: Retry-After tells how long to wait",
}
WITH_BODY: Final = {
    "409": "The first request with that Idempotency-Key is still at work",
    "413": "The body is too large",
    "415": "The body is no JSON",
    "422": "That Idempotency-Key was sent with another request",
}
NAMED: Final = {"404": "There is no such thing"}
CODES: Final = {
    "400": ("INVALID_REQUEST", "limit: Ensure this value is less than or equal to 200."),
    "401": ("NOT_AUTHENTICATED", "Authentication credentials were not provided."),
    "403": ("NOT_ALLOWED", "You may not restore backups, and undo that."),
    "404": ("NOT_FOUND", "There is nothing here."),
    "406": ("NOT_ACCEPTABLE", "There is no version '2' of this API."),
    "409": ("JOB_ACTIVE", "A backup is running already"),
    "413": ("BODY_TOO_LARGE", "The body is larger than 5 MiB."),
    "415": ("UNSUPPORTED_MEDIA_TYPE", 'Unsupported media type "text/plain" in request.'),
    "422": ("IDEMPOTENCY_KEY_REUSED", "That Idempotency-Key was sent with another request."),
    "429": ("THROTTLED", "Request was throttled."),
    "500": ("INTERNAL_ERROR", "Something went wrong here."),
    "502": ("STORAGE_DENIED", "S3 denies access to the bucket"),
    "503": ("STORAGE_UNREACHABLE", "Failed to connect to S3"),
}


class SchemaView(View, SpectacularJSONAPIView):
    """The library's view, for those who may look."""

    needs: ClassVar = {"GET": roles.VIEW}


def complete(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """A hook of drf-spectacular: adds what all operations have in common, and examples."""
    known = result["components"]["schemas"]
    for path, method, operation in _operations(result):
        _add_answers(operation, path=path, method=method)
        _add_examples(operation, known)
    return result


def _operations(result: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in result["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _add_answers(operation: dict[str, Any], *, path: str, method: str) -> None:
    by_plan = any(one["name"] == "plan" for one in operation.get("parameters", ()))
    for status, about in {
        **ALWAYS,
        **(WITH_BODY if method != "get" else {}),
        **(NAMED if "{" in path or by_plan else {}),
    }.items():
        answer = {"description": about, "content": {JSON: {"schema": ERROR}}}
        operation["responses"].setdefault(status, answer)


def _add_examples(operation: dict[str, Any], known: dict[str, Any]) -> None:
    if body := operation.get("requestBody"):
        content = body["content"][JSON]
        content["example"] = example_of(content["schema"], known)
    for status, answer in operation["responses"].items():
        content = answer.get("content", {}).get(JSON)
        if content and status[0] == "2":
            content["example"] = example_of(content["schema"], known)
        elif content:
            code, message = CODES[status]
            content["example"] = {"code": code, "message": message, "hint": ""}
